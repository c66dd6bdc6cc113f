# SPDX-License-Identifier: MIT
# Runs one port's recipe (see CMakeLists.txt): unpacks the source once per tarball, calls build.sh in
# ${WORK}/build, strips what it installed, copies it to ${OUT}. The build folder is made anew when the
# recipe changed.
cmake_path(GET TARBALL FILENAME archive)
set(source ${WORK}/${archive})
if(NOT EXISTS ${source})
    file(ARCHIVE_EXTRACT INPUT ${TARBALL} DESTINATION ${source}.new)
    file(RENAME ${source}.new ${source})
endif()
file(GLOB source ${source}/*)

file(GLOB inputs ${RECIPE}/*)
list(SORT inputs)
set(recipe "")
foreach(input ${inputs})
    file(SHA256 ${input} hash)
    string(APPEND recipe "${hash}\n")
endforeach()
set(before "")
if(EXISTS ${WORK}/recipe)
    file(READ ${WORK}/recipe before)
endif()
if(NOT before STREQUAL recipe)
    file(REMOVE_RECURSE ${WORK}/build)
endif()
file(REMOVE_RECURSE ${WORK}/out)
file(MAKE_DIRECTORY ${WORK}/build ${WORK}/out ${OUT})
file(WRITE ${WORK}/recipe "${recipe}")

cmake_host_system_information(RESULT jobs QUERY NUMBER_OF_LOGICAL_CORES)
execute_process(
    COMMAND ${CMAKE_COMMAND} -E env SOURCE=${source} RECIPE=${RECIPE} OUT=${WORK}/out "CC=${CC} -static"
            AR=${AR} RANLIB=${RANLIB} STRIP=${STRIP} HOST_CC=${HOST_CC} JOBS=${jobs}
            sh ${RECIPE}/build.sh
    WORKING_DIRECTORY ${WORK}/build COMMAND_ERROR_IS_FATAL ANY)

file(GLOB_RECURSE programs ${WORK}/out/bin/* ${WORK}/out/sbin/*)
foreach(program ${programs})
    if(NOT IS_SYMLINK ${program})
        execute_process(COMMAND ${STRIP} ${program} COMMAND_ERROR_IS_FATAL ANY)
    endif()
endforeach()
file(COPY ${WORK}/out/ DESTINATION ${OUT})
file(TOUCH ${WORK}/stamp)
