# SPDX-License-Identifier: MIT
#
# Builds musl with the overlay and stages headers, start files and libmusl.a into STAGE.
#   cmake -DTARBALL= -DSTAGE= -DCACHE= -DCC= -DAR= -DRANLIB= -DSTAMP= -P build.cmake
# The result is kept in CACHE under a hash of everything it depends on, so that other build folders
# take it from there. A build goes into a folder of its own and is renamed when complete; of two at the
# same time one waits for the other.

# --- what it depends on ---
file(GLOB_RECURSE inputs ${CMAKE_CURRENT_LIST_DIR}/*)
list(SORT inputs)
file(SHA256 ${TARBALL} hashes)
foreach(input ${inputs})
    file(SHA256 ${input} hash)
    string(APPEND hashes " ${input}=${hash}")
endforeach()
string(REPLACE ${CMAKE_CURRENT_LIST_DIR} "" hashes "${hashes}")
execute_process(COMMAND ${CC} --version OUTPUT_VARIABLE version COMMAND_ERROR_IS_FATAL ANY)
string(SHA256 key "${hashes} ${version}")
string(SUBSTRING ${key} 0 16 key)
set(result ${CACHE}/built/musl-${key})

# --- build, unless it is there ---
if(NOT EXISTS ${result})
    file(LOCK ${result}.lock GUARD PROCESS)
endif()
if(NOT EXISTS ${result})
    string(RANDOM LENGTH 8 suffix)
    set(work ${CACHE}/built/work-${suffix})
    file(ARCHIVE_EXTRACT INPUT ${TARBALL} DESTINATION ${work}/source)
    file(GLOB source ${work}/source/*)
    set(target --target=x86_64-linux-musl)
    execute_process(COMMAND ${CMAKE_COMMAND} -G Ninja -S ${CMAKE_CURRENT_LIST_DIR} -B ${work}/build
        -DMUSL=${source} -DSTAGE=${work}/stage -DCMAKE_SYSTEM_NAME=Generic
        -DCMAKE_C_COMPILER=${CC} -DCMAKE_ASM_COMPILER=${CC} -DCMAKE_AR=${AR}
        -DCMAKE_RANLIB=${RANLIB} -DCMAKE_C_FLAGS=${target} -DCMAKE_ASM_FLAGS=${target}
        -DCMAKE_C_COMPILER_WORKS=1 OUTPUT_QUIET COMMAND_ERROR_IS_FATAL ANY)
    execute_process(COMMAND ${CMAKE_COMMAND} --build ${work}/build COMMAND_ERROR_IS_FATAL ANY)
    file(RENAME ${work}/stage ${result})
    file(REMOVE_RECURSE ${work})
endif()

# --- stage ---
file(COPY ${result}/ DESTINATION ${STAGE})
file(TOUCH ${STAMP})
