# SPDX-License-Identifier: MIT
# libc.a from musl's objects and the shim's:
#   cmake -DAR= -DOBJCOPY= -DREADELF= -DMUSL= -DSHIM= -DOUTPUT= -P merge.cmake
# The shim's files see each other's functions, programs must not: `path_open` is theirs to define. So all hidden names
# that C doesn't reserve get a prefix, but for those by which musl calls the shim (posix_NAME).
execute_process(COMMAND ${READELF} -sW ${SHIM} OUTPUT_VARIABLE symbols COMMAND_ERROR_IS_FATAL ANY)
string(REGEX MATCHALL "GLOBAL +HIDDEN +[^ ]+ [a-z][a-zA-Z0-9_]*" symbols "${symbols}")
list(TRANSFORM symbols REPLACE ".* " "")
list(REMOVE_DUPLICATES symbols)
list(FILTER symbols EXCLUDE REGEX "^posix_")
list(TRANSFORM symbols REPLACE "(.+)" "\\1 __posix_\\1\n")
string(CONCAT symbols ${symbols})
file(WRITE ${OUTPUT}.names "${symbols}")
execute_process(COMMAND ${OBJCOPY} --redefine-syms=${OUTPUT}.names ${SHIM} ${OUTPUT}.shim.a COMMAND_ERROR_IS_FATAL ANY)

file(REMOVE ${OUTPUT})
file(WRITE ${OUTPUT}.mri "CREATE ${OUTPUT}\nADDLIB ${MUSL}\nADDLIB ${OUTPUT}.shim.a\nSAVE\nEND\n")
execute_process(COMMAND ${AR} -M INPUT_FILE ${OUTPUT}.mri COMMAND_ERROR_IS_FATAL ANY)
file(REMOVE ${OUTPUT}.mri ${OUTPUT}.names ${OUTPUT}.shim.a)
