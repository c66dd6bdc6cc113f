# SPDX-License-Identifier: MIT
# libc.a from musl's objects and the shim's: cmake -DAR= -DMUSL= -DSHIM= -DOUTPUT= -P merge.cmake
file(REMOVE ${OUTPUT})
file(WRITE ${OUTPUT}.mri "CREATE ${OUTPUT}\nADDLIB ${MUSL}\nADDLIB ${SHIM}\nSAVE\nEND\n")
execute_process(COMMAND ${AR} -M INPUT_FILE ${OUTPUT}.mri COMMAND_ERROR_IS_FATAL ANY)
file(REMOVE ${OUTPUT}.mri)
