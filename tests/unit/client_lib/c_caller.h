#ifndef GRANTD_TESTS_C_CALLER_H
#define GRANTD_TESTS_C_CALLER_H

#include <grantd/grantd.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The number of things that were not as they should be; says which. */
int c_caller_gets_a_token(const char* socket);

#ifdef __cplusplus
}
#endif

#endif
