# SPDX-License-Identifier: MIT
# cathode_source(NAME VARIABLE): path of a verified source tarball, fetched if it isn't cached.
# cathode_package(NAME VARIABLE): folder with the files of a verified binary package.
# cathode_unpack(NAME VARIABLE [PATCHES...]): folder with its contents, patched, unpacked once into the build folder.

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

function(cathode_package name variable)
    execute_process(
        COMMAND ${Python3_EXECUTABLE} ${PROJECT_SOURCE_DIR}/scripts/lib/fetch.py --unpack ${name}
        OUTPUT_VARIABLE path OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
    set(${variable} ${path} PARENT_SCOPE)
endfunction()

function(cathode_unpack name variable)
    cathode_source(${name} tarball)
    cmake_path(GET tarball STEM folder)
    set(folder ${PROJECT_BINARY_DIR}/sources/${folder})
    set(patches ${ARGN})
    list(TRANSFORM patches PREPEND ${CMAKE_CURRENT_SOURCE_DIR}/)
    foreach(patch IN LISTS patches)
        set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${patch})
        file(SHA256 ${patch} hash)
        string(SUBSTRING ${hash} 0 8 hash)
        string(APPEND folder -${hash})
    endforeach()
    if(NOT EXISTS ${folder})
        file(MAKE_DIRECTORY ${folder}.part)
        execute_process(
            COMMAND tar -xf ${tarball} -C ${folder}.part --strip-components=1 --no-same-owner
            COMMAND_ERROR_IS_FATAL ANY)
        foreach(patch IN LISTS patches)
            execute_process(COMMAND patch -s -p1 -d ${folder}.part -i ${patch} COMMAND_ERROR_IS_FATAL ANY)
        endforeach()
        file(RENAME ${folder}.part ${folder})
    endif()
    set(${variable} ${folder} PARENT_SCOPE)
endfunction()
