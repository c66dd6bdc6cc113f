# SPDX-License-Identifier: MIT
#
# Runs one port's recipe (see CMakeLists.txt) and copies what it installed to OUT. The result is kept in CACHE
# under a hash of everything it depends on, as musl's is: of two builds at the same time one waits for the other.
# The build folder in WORK is made anew when the source or the recipe changed; for another libc.a the recipe runs in it
# once more, with only the programs deleted.

# --- what it depends on ---
file(STRINGS ${TABLE} row REGEX "^${NAME}\t")
foreach(input IN LISTS INPUTS)
    file(SHA256 ${input} hash)
    cmake_path(GET input FILENAME file)
    string(APPEND row " ${file}=${hash}")
endforeach()
foreach(port IN LISTS DEPENDS) # what is compiled and linked from it, which another libc.a doesn't change
    file(GLOB_RECURSE inputs ${PACKAGES}/${port}/usr/local/include/*.h ${PACKAGES}/${port}/usr/local/lib/*.a)
    foreach(input IN LISTS inputs)
        file(SHA256 ${input} hash)
        string(APPEND row " ${hash}")
    endforeach()
endforeach()
execute_process(COMMAND ${CC} --version OUTPUT_VARIABLE version COMMAND_ERROR_IS_FATAL ANY)
string(REGEX REPLACE "\n.*" "" version "${version}")
set(rest "")
file(GLOB inputs ${SYSROOT}/include/*.h ${SYSROOT}/include/bits/*.h ${SYSROOT}/include/sys/*.h)
list(APPEND inputs ${CC} ${CMAKE_CURRENT_LIST_FILE} ${CMAKE_CURRENT_LIST_DIR}/recipe.sh)
if(NOT DYNAMIC)
    list(APPEND inputs ${SYSROOT}/lib/libc.a)
endif()
if(CXX)
    list(APPEND inputs ${CXX} ${SYSROOT}/lib/libc++.a)
endif()
foreach(input IN LISTS inputs)
    file(SHA256 ${input} hash)
    string(APPEND rest " ${hash}")
endforeach()
string(SHA256 key "${row} ${version} ${rest}")
string(SUBSTRING ${key} 0 16 key)
set(result ${CACHE}/built/port-${NAME}-${key})

# --- build, unless it is there ---
if(NOT EXISTS ${result})
    file(LOCK ${result}.lock GUARD PROCESS)
endif()
if(NOT EXISTS ${result})
    execute_process(COMMAND ${PYTHON} ${CMAKE_CURRENT_LIST_DIR}/../../scripts/lib/fetch.py ${NAME}
        OUTPUT_VARIABLE tarball OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
    set(before "")
    if(EXISTS ${WORK}/recipe)
        file(READ ${WORK}/recipe before)
    endif()
    if(NOT before STREQUAL "${row} ${version}")
        file(REMOVE_RECURSE ${WORK})
        file(ARCHIVE_EXTRACT INPUT ${tarball} DESTINATION ${WORK}/source)
        file(MAKE_DIRECTORY ${WORK}/build)
        file(WRITE ${WORK}/recipe "${row} ${version}")
    endif()
    file(GLOB source ${WORK}/source/*)
    if(source MATCHES ";") # an archive without a folder of its own
        set(source ${WORK}/source)
    endif()
    file(REMOVE_RECURSE ${WORK}/out)
    file(MAKE_DIRECTORY ${WORK}/out)
    set(flags "")
    if(EXTRA)
        set(flags "PACKAGE=${NAME}")
    endif()
    if(CXX)
        list(APPEND flags "CXX=${CXX} -static")
    endif()
    if(DEPENDS)
        list(TRANSFORM DEPENDS REPLACE "(.+)" "-I${PACKAGES}/\\1/usr/local/include" OUTPUT_VARIABLE includes)
        list(TRANSFORM DEPENDS REPLACE "(.+)" "-L${PACKAGES}/\\1/usr/local/lib" OUTPUT_VARIABLE libraries)
        list(JOIN includes " " includes)
        list(JOIN libraries " " libraries)
        list(APPEND flags "CPPFLAGS=${includes}" "LDFLAGS=${libraries}")
    endif()
    cmake_host_system_information(RESULT jobs QUERY NUMBER_OF_LOGICAL_CORES)
    execute_process(
        COMMAND ${CMAKE_COMMAND} -E env SOURCE=${source} RECIPE=${RECIPE} OUT=${WORK}/out "CC=${CC} -static" AR=${AR}
                RANLIB=${RANLIB} STRIP=${STRIP} HOST_CC=${HOST_CC} JOBS=${jobs} SYSROOT=${SYSROOT} ${flags}
                sh ${CMAKE_CURRENT_LIST_DIR}/recipe.sh
        WORKING_DIRECTORY ${WORK}/build COMMAND_ERROR_IS_FATAL ANY)
    string(RANDOM LENGTH 8 suffix)
    file(COPY ${WORK}/out/ DESTINATION ${CACHE}/built/work-${suffix})
    file(RENAME ${CACHE}/built/work-${suffix} ${result})
endif()

# --- install ---
if(EXTRA)
    file(REMOVE_RECURSE ${OUT})
endif()
file(COPY ${result}/ DESTINATION ${OUT} PATTERN .host EXCLUDE)
if(EXISTS ${result}/.host)
    file(COPY ${result}/.host/ DESTINATION ${WORK}/host)
endif()
file(WRITE ${WORK}/stamp ${key})
