# SPDX-License-Identifier: MIT
# Everything outside the kernel, and the archive that holds it: initfs.cpio, made of the programs'
# and ports' files (install_file) and of sysroot/rootfs.

function(add_userland)
    foreach(folder IN ITEMS libposix servers drivers sysroot)
        add_optional_subdirectory(${folder})
    endforeach()
endfunction()

# Presets differ in the kernel only; all but debug take the user programs from debug's folder, so
# that musl and the ports are built once.
function(use_userland folder)
    if(NOT EXISTS ${folder}/build.ninja)
        set(configure ${CMAKE_COMMAND} -S ${PROJECT_SOURCE_DIR} -B ${folder} --preset debug &&)
    endif()
    add_custom_target(initfs ALL USES_TERMINAL
        COMMAND ${configure} ${CMAKE_COMMAND} --build ${folder} --target initfs
        COMMAND ${CMAKE_COMMAND} -E create_symlink ${folder}/initfs.cpio
            ${PROJECT_BINARY_DIR}/initfs.cpio)
endfunction()
