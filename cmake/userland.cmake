# SPDX-License-Identifier: MIT
# Everything outside the kernel, and the archives that hold it: initfs.cpio, made of the installed
# files (install_file, install_tree), and of sysroot/rootfs and the ports through sysroot/; and boot.cpio,
# the part that reaches a root on a disk (sysroot/boot.list). The tests are here because some of them are
# programs of the guest: what is installed below /tests is in no image, but added by scripts/run --with tests.

function(add_userland)
    foreach(folder IN ITEMS libposix servers drivers sysroot tests)
        add_optional_subdirectory(${folder})
    endforeach()
    add_initfs()
    add_reference()
endfunction()

# The reference page of the system calls: syscalls.md in the build folder.
function(add_reference)
    set(abi ${PROJECT_SOURCE_DIR}/kernel/include/abi)
    file(GLOB headers CONFIGURE_DEPENDS ${abi}/*)
    add_custom_command(OUTPUT ${PROJECT_BINARY_DIR}/syscalls.md
        COMMAND ${Python3_EXECUTABLE} ${PROJECT_SOURCE_DIR}/cmake/reference.py ${abi}
            ${PROJECT_BINARY_DIR}/syscalls.md
        DEPENDS ${PROJECT_SOURCE_DIR}/cmake/reference.py ${headers})
    add_custom_target(reference ALL DEPENDS ${PROJECT_BINARY_DIR}/syscalls.md)
    add_test(NAME unit/reference COMMAND ${Python3_EXECUTABLE}
        ${PROJECT_SOURCE_DIR}/cmake/reference.py ${abi} ${PROJECT_BINARY_DIR}/syscalls.md)
    set_tests_properties(unit/reference PROPERTIES LABELS unit)
endfunction()

# cpio.py itself looks whether anything changed: the files of trees aren't known to CMake.
function(add_initfs)
    get_property(entries GLOBAL PROPERTY CATHODE_INITFS_ENTRIES)
    get_property(targets GLOBAL PROPERTY CATHODE_INITFS_TARGETS)
    string(REGEX MATCHALL "[^\n]* /tests/[^\n]*\n" tests "${entries}")
    list(JOIN tests "" tests)
    string(REGEX REPLACE "[^\n]* /tests/[^\n]*\n" "" entries "${entries}")
    file(GENERATE OUTPUT ${PROJECT_BINARY_DIR}/initfs.list CONTENT "${entries}")
    file(GENERATE OUTPUT ${PROJECT_BINARY_DIR}/tests.list CONTENT "${tests}")
    add_custom_target(initfs ALL
        COMMAND ${Python3_EXECUTABLE} ${PROJECT_SOURCE_DIR}/scripts/lib/cpio.py
            ${PROJECT_BINARY_DIR}/initfs.cpio --list ${PROJECT_BINARY_DIR}/initfs.list
        COMMAND ${Python3_EXECUTABLE} ${PROJECT_SOURCE_DIR}/scripts/lib/cpio.py
            ${PROJECT_BINARY_DIR}/boot.cpio --list ${PROJECT_BINARY_DIR}/initfs.list
            --only ${PROJECT_SOURCE_DIR}/sysroot/boot.list
        BYPRODUCTS ${PROJECT_BINARY_DIR}/initfs.cpio ${PROJECT_BINARY_DIR}/boot.cpio)
    if(targets)
        add_dependencies(initfs ${targets})
    endif()
endfunction()

# Presets differ in the kernel only; all but debug take the user programs from debug's folder, so
# that musl and the ports are built once.
function(use_userland folder)
    set(command ${CMAKE_COMMAND} --build ${folder} --target initfs)
    if(NOT EXISTS ${folder}/build.ninja)
        set(command ${CMAKE_COMMAND} -S ${PROJECT_SOURCE_DIR} -B ${folder} --preset debug
            COMMAND ${command})
    endif()
    add_custom_target(initfs ALL USES_TERMINAL
        COMMAND ${command}
        COMMAND ${CMAKE_COMMAND} -E create_symlink ${folder}/initfs.cpio ${PROJECT_BINARY_DIR}/initfs.cpio
        COMMAND ${CMAKE_COMMAND} -E create_symlink ${folder}/boot.cpio ${PROJECT_BINARY_DIR}/boot.cpio)
endfunction()
