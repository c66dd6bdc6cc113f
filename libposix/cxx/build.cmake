# SPDX-License-Identifier: MIT
#
# Builds libc++, its ABI library and the unwinder from LLVM's source and stages them into STAGE.
#   cmake -DPYTHON= -DSCRIPTS= -DSTAGE= -DCACHE= -DCC= -DCXX= -DAR= -DRANLIB= -DSTAMP= -P build.cmake
# They are of the version of the compiler, whose headers and built-ins they go with. The result is kept
# in CACHE as musl's is (../musl/build.cmake); STAGE has musl's headers already.

# --- what it depends on ---
file(STRINGS ${SCRIPTS}/sources.tsv source REGEX "^(llvm|musl)\t")
file(SHA256 ${CMAKE_CURRENT_LIST_FILE} recipe)
execute_process(COMMAND ${CXX} --version OUTPUT_VARIABLE version COMMAND_ERROR_IS_FATAL ANY)
string(SHA256 key "${source} ${recipe} ${version}")
string(SUBSTRING ${key} 0 16 key)
set(result ${CACHE}/built/cxx-${key})

# --- build, unless it is there ---
if(NOT EXISTS ${result})
    string(RANDOM LENGTH 8 suffix)
    set(work ${CACHE}/built/work-${suffix})
    file(MAKE_DIRECTORY ${work}/source)
    execute_process(COMMAND ${PYTHON} ${SCRIPTS}/fetch.py llvm OUTPUT_VARIABLE tarball
        OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
    # A twentieth of the tarball is needed.
    execute_process(COMMAND tar -xf ${tarball} -C ${work}/source --strip-components=1 --wildcards
        --exclude=*/test/* */libcxx/* */libcxxabi/* */libunwind/* */runtimes/* */cmake/*
        COMMAND_ERROR_IS_FATAL ANY)
    file(WRITE ${work}/toolchain.cmake "
        set(CMAKE_SYSTEM_NAME Linux)
        set(CMAKE_SYSTEM_PROCESSOR x86_64)
        set(CMAKE_SYSROOT ${STAGE})
        set(CMAKE_AR ${AR})
        set(CMAKE_RANLIB ${RANLIB})
        set(CMAKE_C_COMPILER ${CC})
        set(CMAKE_ASM_COMPILER ${CC})
        set(CMAKE_CXX_COMPILER ${CXX})
        set(CMAKE_C_COMPILER_TARGET x86_64-linux-musl)
        set(CMAKE_ASM_COMPILER_TARGET x86_64-linux-musl)
        set(CMAKE_CXX_COMPILER_TARGET x86_64-linux-musl)
        set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)\n")
    set(options -DLIBCXX_HAS_MUSL_LIBC=ON -DLIBCXX_CXX_ABI=libcxxabi -DLIBCXX_ENABLE_STATIC_ABI_LIBRARY=ON
        -DLIBCXXABI_USE_LLVM_UNWINDER=ON -DCMAKE_POSITION_INDEPENDENT_CODE=ON
        -DLIBCXX_INCLUDE_BENCHMARKS=OFF -DLIBCXX_INCLUDE_DOCS=OFF -DLLVM_INCLUDE_TESTS=OFF)
    foreach(library LIBCXX LIBCXXABI LIBUNWIND)
        list(APPEND options -D${library}_ENABLE_SHARED=OFF -D${library}_USE_COMPILER_RT=ON
            -D${library}_INCLUDE_TESTS=OFF)
    endforeach()
    execute_process(COMMAND ${CMAKE_COMMAND} -G Ninja -S ${work}/source/runtimes -B ${work}/build
        -DCMAKE_TOOLCHAIN_FILE=${work}/toolchain.cmake -DCMAKE_BUILD_TYPE=MinSizeRel
        -DCMAKE_INSTALL_PREFIX=${work}/stage "-DLLVM_ENABLE_RUNTIMES=libcxx;libcxxabi;libunwind"
        ${options} OUTPUT_QUIET COMMAND_ERROR_IS_FATAL ANY)
    execute_process(COMMAND ${CMAKE_COMMAND} --build ${work}/build --target install
        OUTPUT_QUIET COMMAND_ERROR_IS_FATAL ANY)
    if(NOT EXISTS ${result})
        file(RENAME ${work}/stage ${result})
    endif()
    file(REMOVE_RECURSE ${work})
endif()

# --- stage ---
file(COPY ${result}/include ${result}/lib DESTINATION ${STAGE})
file(TOUCH ${STAMP})
