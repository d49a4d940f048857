/* What a C99 program does with <grantd/grantd.h>: compiled as one, and called by the tests beside it. */
#include "tests/unit/client_lib/c_caller.h"

#include <stdio.h>
#include <string.h>

typedef const char* (*accessor)(const grantd_token*, size_t*);

static int differs(const grantd_token* token, accessor part, const char* expected) {
  size_t length = 0;
  const char* const found = part(token, &length);
  if (strcmp(found, expected) == 0 && length == strlen(expected) && part(token, NULL) == found) return 0;
  fprintf(stderr, "\"%s\" of length %zu in place of \"%s\"\n", found, length, expected);
  return 1;
}

int c_caller_gets_a_token(const char* socket) {
  grantd_client_options options = GRANTD_CLIENT_OPTIONS_INIT;
  grantd_client* client = NULL;
  grantd_error* error = NULL;
  grantd_token* token = NULL;
  const char* const resource[] = {"urn:a", "urn:b"};
  const grantd_pair parameters[] = {{"k", "v"}};
  grantd_token_request request = GRANTD_TOKEN_REQUEST_INIT;
  int wrong = 0;

  options.socket = socket;
  options.timeout_ms = 10000;
  if (grantd_client_new(&options, &client, &error) != GRANTD_OK) return 1;
  request.scope = "a b";
  request.resource = resource;
  request.resource_count = 2;
  request.parameters = parameters;
  request.parameter_count = 1;
  request.has_min_valid = 1;
  request.min_valid = 30;
  request.rejected = "v0";
  if (grantd_get_access_token(client, "c", &request, &token, &error) != GRANTD_OK) {
    fprintf(stderr, "%s: %s\n", grantd_error_code(error), grantd_error_message(error));
    grantd_error_free(error);
    grantd_client_free(client);
    return 1;
  }
  wrong += differs(token, grantd_token_value, "secret-token");
  wrong += differs(token, grantd_token_type, "Bearer");
  wrong += differs(token, grantd_token_scope, "catalog read");
  wrong += differs(token, grantd_token_version, "v1");
  wrong += differs(token, grantd_token_authorization, "Bearer secret-token");
  wrong += grantd_token_expires_at(token) != 1896091200;
  grantd_token_free(token);
  grantd_client_free(client);
  return wrong;
}
