# SPDX-License-Identifier: MIT
# One compiler for the kernel, the user programs and the host's unit tests: clang picks its target
# by flag, so what differs are the interface libraries in flags.cmake, not the CMake toolchain.
set(CMAKE_SYSTEM_NAME Generic)
set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)

set(CATHODE_LLVM 19 CACHE STRING "Major version of clang, lld and the LLVM tools")
set(llvm_bin /usr/lib/llvm-${CATHODE_LLVM}/bin)
foreach(pair IN ITEMS C_COMPILER:clang ASM_COMPILER:clang AR:llvm-ar RANLIB:llvm-ranlib NM:llvm-nm
        OBJCOPY:llvm-objcopy OBJDUMP:llvm-objdump STRIP:llvm-strip READELF:llvm-readelf)
    string(REPLACE ":" ";" pair ${pair})
    list(GET pair 0 variable)
    list(GET pair 1 tool)
    find_program(CATHODE_${variable} NAMES ${tool}-${CATHODE_LLVM} ${tool} HINTS ${llvm_bin} REQUIRED)
    set(CMAKE_${variable} ${CATHODE_${variable}})
    mark_as_advanced(CATHODE_${variable})
endforeach()
list(APPEND CMAKE_TRY_COMPILE_PLATFORM_VARIABLES CATHODE_LLVM)
