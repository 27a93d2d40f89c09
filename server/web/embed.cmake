# Write one file into a C array: cmake -DIN=x.yaml -DOUT=x.c -P embed.cmake.
file(READ ${IN} hex HEX)
string(REGEX REPLACE "(..)" "0x\\1," bytes "${hex}")
string(REGEX REPLACE "(................................................................................)" "\\1\n" bytes "${bytes}")
file(WRITE ${OUT} "/* Made at build time. */\n#include \"server/web/openapi.h\"\n\nconst char openapi_yaml[] = {\n${bytes}0 };\nconst size_t openapi_yaml_len = sizeof(openapi_yaml) - 1;\n")
