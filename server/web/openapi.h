/* openapi.yaml, made bytes of the program at build time. */
#ifndef HT_SERVER_WEB_OPENAPI_H
#define HT_SERVER_WEB_OPENAPI_H

#include <stddef.h>

extern const char openapi_yaml[];
extern const size_t openapi_yaml_len;

#endif
