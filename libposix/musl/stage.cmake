# SPDX-License-Identifier: MIT
#
# Lays out what musl's own "make install" would: headers (arch before generic), start files, and the
# empty archives that let -lm, -lpthread and their like succeed.
file(COPY ${MUSL}/include/ DESTINATION ${STAGE}/include PATTERN "*.in" EXCLUDE)
file(COPY ${MUSL}/arch/generic/bits DESTINATION ${STAGE}/include)
file(COPY ${MUSL}/arch/x86_64/bits DESTINATION ${STAGE}/include PATTERN "*.in" EXCLUDE)
file(COPY ${GENERATED}/include/bits DESTINATION ${STAGE}/include)

foreach(object ${OBJECTS})
    get_filename_component(file ${object} NAME)
    string(REGEX REPLACE "\\.[cs]\\.o(bj)?$" ".o" file ${file})
    configure_file(${object} ${STAGE}/lib/${file} COPYONLY)
endforeach()

file(COPY ${MUSL}/dynamic.list DESTINATION ${STAGE}/lib)

foreach(name m rt pthread crypt util xnet resolv dl)
    file(WRITE ${STAGE}/lib/lib${name}.a "!<arch>\n")
endforeach()
