# SPDX-License-Identifier: MIT
# cathode_source(NAME VARIABLE): path of a verified source tarball, fetched if it isn't cached.
# cathode_unpack(NAME VARIABLE): folder with its contents, unpacked once into the build folder.

# Where sources and build results of ported code are kept: outside of any build folder.
if(DEFINED ENV{CATHODE_CACHE})
    set(CATHODE_CACHE $ENV{CATHODE_CACHE})
elseif(DEFINED ENV{XDG_CACHE_HOME})
    set(CATHODE_CACHE $ENV{XDG_CACHE_HOME}/cathode)
else()
    set(CATHODE_CACHE $ENV{HOME}/.cache/cathode)
endif()

function(cathode_source name variable)
    execute_process(
        COMMAND ${Python3_EXECUTABLE} ${PROJECT_SOURCE_DIR}/scripts/lib/fetch.py ${name}
        OUTPUT_VARIABLE path OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
    set(${variable} ${path} PARENT_SCOPE)
endfunction()

function(cathode_unpack name variable)
    cathode_source(${name} tarball)
    cmake_path(GET tarball STEM folder)
    set(folder ${PROJECT_BINARY_DIR}/sources/${folder})
    if(NOT EXISTS ${folder})
        file(MAKE_DIRECTORY ${folder}.part)
        execute_process(
            COMMAND tar -xf ${tarball} -C ${folder}.part --strip-components=1 --no-same-owner
            COMMAND_ERROR_IS_FATAL ANY)
        file(RENAME ${folder}.part ${folder})
    endif()
    set(${variable} ${folder} PARENT_SCOPE)
endfunction()
