# SPDX-License-Identifier: MIT
# What a folder's CMakeLists.txt is written with. Each component is a few lines:
#   add_kernel_sources(SOURCES...)          kernel/*, arch/*: into kernel.elf
#   uninstrumented_sources(SOURCES...)      never built with a sanitizer (early boot, the runtimes)
#   add_server(NAME SOURCES... [options])   a program under /lib/servers/NAME
#   add_driver(NAME SOURCES... [options])   a program under /lib/drivers/NAME
#   add_program(NAME SOURCES... [options])  a program under /bin/NAME
#   add_user_library(NAME SOURCES... [options])  a static library for the above; include/ is public
#   add_posix_test(NAME SOURCES... [options])    a program under /tests/posix/NAME, run by ctest
#   add_unit_test(NAME SOURCES... [options])  host program with ASan and UBSan, run by ctest
#   add_fuzzer(NAME SOURCES... [options])   host libFuzzer program, a short run by ctest
#   install_file(MODE PATH FILE)            a file of the root file system
#   install_tree(PATH FOLDER [TARGETS...])  a folder of it, filled by the targets
#   install_line(WORDS...)                  any other line of scripts/lib/cpio.py's lists
# Options: LIBS libraries..., INCLUDES folders...; of the programs: INSTALL path in the guest.

# The glob makes the build notice when such a folder appears.
macro(add_optional_subdirectory folder)
    file(GLOB lists CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${folder}/CMakeLists.txt)
    if(lists)
        add_subdirectory(${folder})
    endif()
endmacro()

# --- kernel ---
add_library(kernel_objects OBJECT EXCLUDE_FROM_ALL)
target_link_libraries(kernel_objects PRIVATE flags_kernel)

function(add_kernel_sources)
    target_sources(kernel_objects PRIVATE ${ARGN})
    foreach(source IN LISTS ARGN)
        if(source MATCHES "\\.c$")
            set_property(SOURCE ${source} TARGET_DIRECTORY kernel_objects
                PROPERTY COMPILE_OPTIONS ${kernel_instrumentation})
        endif()
    endforeach()
endfunction()

function(uninstrumented_sources)
    set_property(SOURCE ${ARGN} TARGET_DIRECTORY kernel_objects PROPERTY COMPILE_OPTIONS "")
endfunction()

# Linked twice: the symbol table for backtraces is made from the first link (see ksyms.py).
function(link_kernel)
    get_target_property(sources kernel_objects SOURCES)
    set(script ${PROJECT_SOURCE_DIR}/arch/${CATHODE_ARCH}/kernel.ld)
    if(NOT sources OR NOT EXISTS ${script})
        message(WARNING "no kernel: sources or ${script} missing")
        return()
    endif()
    set(tool ${Python3_EXECUTABLE} ${PROJECT_SOURCE_DIR}/cmake/ksyms.py --nm ${CMAKE_NM})
    set(dir ${PROJECT_BINARY_DIR}/kernel)
    add_custom_command(OUTPUT ${dir}/ksyms0.S
        COMMAND ${tool} --empty ${dir}/ksyms0.S
        DEPENDS ${PROJECT_SOURCE_DIR}/cmake/ksyms.py)
    set(objects $<TARGET_OBJECTS:kernel_objects>)
    set(missing ${PROJECT_SOURCE_DIR}/arch/${CATHODE_ARCH}/missing.py)
    if(EXISTS ${missing}) # this arch does not have all of the contract yet
        add_custom_command(OUTPUT ${dir}/missing.S
            COMMAND ${Python3_EXECUTABLE} ${missing} --nm ${CMAKE_NM}
                --contract ${PROJECT_SOURCE_DIR}/arch/include/arch ${dir}/missing.S ${objects}
            DEPENDS ${objects} ${missing} COMMAND_EXPAND_LISTS)
        list(APPEND objects ${dir}/missing.S)
    endif()
    add_executable(kernel_nosyms ${objects} ${dir}/ksyms0.S)
    add_custom_command(OUTPUT ${dir}/ksyms.S
        COMMAND ${tool} $<TARGET_FILE:kernel_nosyms> ${dir}/ksyms.S
        DEPENDS kernel_nosyms ${PROJECT_SOURCE_DIR}/cmake/ksyms.py)
    add_executable(kernel ${objects} ${dir}/ksyms.S)
    foreach(target IN ITEMS kernel_nosyms kernel)
        target_link_libraries(${target} PRIVATE flags_kernel)
        target_link_options(${target} PRIVATE -Wl,-T,${script})
        set_target_properties(${target} PROPERTIES SUFFIX .elf LINK_DEPENDS ${script})
    endforeach()
    set_target_properties(kernel PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR})
    add_custom_command(TARGET kernel POST_BUILD COMMAND ${tool}
        --verify $<TARGET_FILE:kernel_nosyms> $<TARGET_FILE:kernel>)
endfunction()

# --- user programs ---
function(install_line)
    string(JOIN " " line ${ARGV})
    set_property(GLOBAL APPEND_STRING PROPERTY CATHODE_INITFS_ENTRIES "${line}\n")
endfunction()

function(install_file mode path file)
    cmake_path(ABSOLUTE_PATH file)
    install_line(file ${path} ${mode} 0 0 ${file})
endfunction()

# install_tree(PATH FOLDER [TARGETS...]): a whole folder, filled by the targets.
function(install_tree path folder)
    cmake_path(ABSOLUTE_PATH folder)
    install_line(tree ${path} ${folder})
    set_property(GLOBAL APPEND PROPERTY CATHODE_INITFS_TARGETS ${ARGN})
endfunction()

function(add_program name)
    cmake_parse_arguments(PARSE_ARGV 1 arg "" INSTALL "LIBS;INCLUDES")
    if(NOT arg_INSTALL)
        set(arg_INSTALL /bin/${name})
    endif()
    add_executable(${name} ${arg_UNPARSED_ARGUMENTS})
    target_link_libraries(${name} PRIVATE ${arg_LIBS} flags_user)
    target_include_directories(${name} PRIVATE ${CMAKE_CURRENT_SOURCE_DIR} ${arg_INCLUDES})
    add_dependencies(${name} libposix)
    set(folder ${PROJECT_BINARY_DIR}/programs)
    set_target_properties(${name} PROPERTIES
        RUNTIME_OUTPUT_DIRECTORY ${folder} LINK_DEPENDS ${CATHODE_SYSROOT}/lib/libc.a)
    # The archive gets the program without debug information; gdb reads the unstripped one.
    file(MAKE_DIRECTORY ${folder}/stripped)
    add_custom_command(TARGET ${name} POST_BUILD
        COMMAND ${CMAKE_STRIP} -o ${folder}/stripped/${name} $<TARGET_FILE:${name}>)
    install_file(0755 ${arg_INSTALL} ${folder}/stripped/${name})
    set_property(GLOBAL APPEND PROPERTY CATHODE_INITFS_TARGETS ${name})
endfunction()

function(add_server name)
    add_program(${name} INSTALL /lib/servers/${name} ${ARGN})
    install_manifest(${name})
endfunction()

function(add_driver name)
    add_program(${name} INSTALL /lib/drivers/${name} ${ARGN})
    install_manifest(${name})
endfunction()

# A service's manifest is the file "manifest" in its folder; the supervisor reads /lib/services/*.
function(install_manifest name)
    file(GLOB manifest CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/manifest)
    if(manifest)
        install_file(0644 /lib/services/${name} ${CMAKE_CURRENT_SOURCE_DIR}/manifest)
    endif()
endfunction()

function(add_user_library name)
    cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "LIBS;INCLUDES")
    add_library(${name} STATIC ${arg_UNPARSED_ARGUMENTS})
    target_link_libraries(${name} PUBLIC ${arg_LIBS} PRIVATE flags_user)
    target_include_directories(${name}
        PUBLIC ${CMAKE_CURRENT_SOURCE_DIR}/include PRIVATE ${CMAKE_CURRENT_SOURCE_DIR} ${arg_INCLUDES})
    add_dependencies(${name} libposix)
endfunction()

# --- tests ---
function(add_posix_test name)
    add_program(posix_${name} INSTALL /tests/posix/${name} ${ARGN})
    set_property(GLOBAL APPEND PROPERTY CATHODE_POSIX_TESTS ${name})
endfunction()

function(add_host_program name sanitizers)
    cmake_parse_arguments(PARSE_ARGV 2 arg "" "" "INCLUDES;LIBS")
    add_executable(${name} EXCLUDE_FROM_ALL ${arg_UNPARSED_ARGUMENTS})
    target_link_libraries(${name} PRIVATE flags_host ${arg_LIBS})
    target_include_directories(${name} PRIVATE ${arg_INCLUDES})
    target_compile_options(${name} PRIVATE ${sanitizers} -fno-sanitize-recover=all)
    target_link_options(${name} PRIVATE ${sanitizers})
    set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/host)
    set_property(GLOBAL APPEND PROPERTY CATHODE_HOST_PROGRAMS ${name})
endfunction()

function(add_unit_test name)
    add_host_program(unit_${name} -fsanitize=address,undefined ${ARGN})
    add_test(NAME unit/${name} COMMAND unit_${name})
    set_tests_properties(unit/${name} PROPERTIES LABELS unit TIMEOUT 120)
endfunction()

# The seed corpus is the folder NAME.corpus beside the source, if there is one.
function(add_fuzzer name)
    add_host_program(fuzz_${name} -fsanitize=fuzzer,address,undefined ${ARGN})
    set(corpus "")
    if(EXISTS ${CMAKE_CURRENT_SOURCE_DIR}/${name}.corpus)
        set(corpus ${CMAKE_CURRENT_SOURCE_DIR}/${name}.corpus)
    endif()
    file(MAKE_DIRECTORY ${PROJECT_BINARY_DIR}/fuzz/${name})
    add_test(NAME fuzz/${name} WORKING_DIRECTORY ${PROJECT_BINARY_DIR}/fuzz/${name}
        COMMAND fuzz_${name} -seed=1 -max_total_time=5 -artifact_prefix=./
            ${PROJECT_BINARY_DIR}/fuzz/${name} ${corpus})
    set_tests_properties(fuzz/${name} PROPERTIES LABELS fuzz TIMEOUT 120)
endfunction()
