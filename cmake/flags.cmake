# SPDX-License-Identifier: MIT
# Compiler flags as interface libraries: flags_common (our own code), flags_kernel, flags_user,
# flags_host. Ported code (libposix's musl, sysroot/ports) takes none of them.

add_library(flags_common INTERFACE)
target_compile_options(flags_common INTERFACE
    $<$<COMPILE_LANGUAGE:C>:-std=gnu23>
    -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla
    -Wimplicit-fallthrough -Wno-unused-parameter
    # guarded_by() on struct members names later members: C needs late parsing for that.
    $<$<COMPILE_LANGUAGE:C>:-Wthread-safety -fexperimental-late-parse-attributes>
    -Werror
    -fno-common -ffile-prefix-map=${PROJECT_SOURCE_DIR}/=)

# --- kernel ---
add_library(flags_kernel INTERFACE)
target_link_libraries(flags_kernel INTERFACE flags_common)
target_compile_options(flags_kernel INTERFACE
    -ffreestanding -nostdlibinc -fno-pic -fno-pie -mgeneral-regs-only
    -fno-omit-frame-pointer -mno-omit-leaf-frame-pointer
    -fno-asynchronous-unwind-tables -fno-unwind-tables -fno-strict-aliasing
    -fstack-protector-strong -mstack-protector-guard=global
    $<IF:$<BOOL:${CATHODE_DEBUG}>,-O1,-O2> -g)
target_compile_definitions(flags_kernel INTERFACE
    CATHODE_KERNEL=1 CATHODE_DEBUG=$<BOOL:${CATHODE_DEBUG}>
    CATHODE_KASAN=$<BOOL:${CATHODE_KASAN}> CATHODE_RACE=$<BOOL:${CATHODE_RACE}>)
target_include_directories(flags_kernel INTERFACE
    ${PROJECT_SOURCE_DIR}/kernel/include
    ${PROJECT_SOURCE_DIR}/arch/include
    ${PROJECT_SOURCE_DIR}/arch/${CATHODE_ARCH}/include)
target_link_options(flags_kernel INTERFACE
    -nostdlib -static -fuse-ld=lld -Wl,--build-id=none -Wl,-z,max-page-size=4096
    -Wl,-z,norelro -Wl,--fatal-warnings)
if(CATHODE_ARCH STREQUAL x86_64)
    # The linux-gnu triple, not none-elf: clang refuses the address sanitizer for the latter.
    set(kernel_target --target=x86_64-linux-gnu)
    target_compile_options(flags_kernel INTERFACE -mcmodel=kernel -mno-red-zone)
else()
    set(kernel_target --target=aarch64-linux-gnu)
    target_compile_options(flags_kernel INTERFACE -mno-outline-atomics)
endif()
target_compile_options(flags_kernel INTERFACE ${kernel_target})
target_link_options(flags_kernel INTERFACE ${kernel_target})

# Instrumentation is separate, so that early boot code and the runtimes themselves can go without:
# uninstrumented_sources() in components.cmake.
set(kernel_instrumentation "")
if(CATHODE_KASAN)
    set(kernel_instrumentation
        -fsanitize=kernel-address,undefined -fno-sanitize=function,vptr,alignment
        -mllvm=-asan-instrumentation-with-call-threshold=0 -mllvm=-asan-globals=0
        -mllvm=-asan-stack=0 -mllvm=-asan-kernel-mem-intrinsic-prefix=1)
elseif(CATHODE_RACE)
    set(kernel_instrumentation
        -fsanitize=thread
        -mllvm=-tsan-instrument-func-entry-exit=0 -mllvm=-tsan-instrument-memintrinsics=0
        -mllvm=-tsan-instrument-atomics=0 -mllvm=-tsan-distinguish-volatile=1)
endif()

# --- user programs ---
set(CATHODE_SYSROOT ${PROJECT_BINARY_DIR}/sysroot)
set(CATHODE_USER_TARGET --target=x86_64-linux-musl --sysroot=${CATHODE_SYSROOT})
set(CATHODE_USER_LINK -static -fuse-ld=lld --rtlib=compiler-rt --unwindlib=none)

add_library(flags_user INTERFACE)
target_link_libraries(flags_user INTERFACE flags_common)
target_compile_options(flags_user INTERFACE
    ${CATHODE_USER_TARGET} -O2 -g -fno-omit-frame-pointer -ffunction-sections -fdata-sections)
target_compile_definitions(flags_user INTERFACE _GNU_SOURCE=1 __cathode__=1)
# The one kernel folder that user code may include: <abi/NAME.h> through a link, not kernel/include.
file(MAKE_DIRECTORY ${PROJECT_BINARY_DIR}/include)
file(CREATE_LINK ${PROJECT_SOURCE_DIR}/kernel/include/abi ${PROJECT_BINARY_DIR}/include/abi SYMBOLIC)
target_include_directories(flags_user INTERFACE ${PROJECT_BINARY_DIR}/include)
target_link_options(flags_user INTERFACE
    ${CATHODE_USER_TARGET} ${CATHODE_USER_LINK} -Wl,--gc-sections -Wl,-z,max-page-size=4096)

# --- host: unit tests and fuzzers ---
add_library(flags_host INTERFACE)
target_link_libraries(flags_host INTERFACE flags_common)
target_compile_options(flags_host INTERFACE -O1 -g -fno-omit-frame-pointer)
target_compile_definitions(flags_host INTERFACE _GNU_SOURCE=1 CATHODE_HOST=1)
target_include_directories(flags_host INTERFACE
    ${PROJECT_SOURCE_DIR}/kernel/include ${PROJECT_SOURCE_DIR}/arch/include
    ${PROJECT_SOURCE_DIR}/arch/x86_64/include ${PROJECT_SOURCE_DIR}/tests/harness)
target_link_options(flags_host INTERFACE -fuse-ld=lld)
