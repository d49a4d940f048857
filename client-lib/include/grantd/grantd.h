/* OAuth 2.0 tokens from the local daemon grantd, for C and for every language that can call C. The same as
   <grantd/client.hpp>, at the same price: a token that is at hand costs a copy and no system call.

   - Every call is safe from several threads at once, on one client too, and on both sides of a fork. Nothing
     here throws, raises a signal or starts a thread. A thread is not to be cancelled (pthread_cancel) in one.
   - What a call gives (`grantd_token **` and the like) is the caller's to free; on failure it is NULL. All
     `_free` take NULL. What accessors return lives as long as the object it was asked of.
   - Strings that go in end with NUL, and are UTF-8 where they are not ASCII; NULL is an empty one. Strings
     that come out end with NUL as well; `length`, where it is not NULL, gets the number of characters
     before it.
   - `error` may be NULL. Where it is not, a failed call puts an error there, to be freed, and a successful
     one NULL.
   - Structures begin with their size and are to be zeroed but for that, as the ..._INIT macros do: later
     versions add members at the end, whose zero means what was before. */
#ifndef GRANTD_GRANTD_H
#define GRANTD_GRANTD_H

#include <stddef.h>
#include <stdint.h>

#include "grantd/export.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Opaque. */
typedef struct grantd_client grantd_client;
typedef struct grantd_token grantd_token;
typedef struct grantd_response grantd_response;
typedef struct grantd_error grantd_error;

/* How a call ended. Each failure has the name of a code in docs/local-api.md; values do not change. */
typedef enum grantd_status {
  GRANTD_OK = 0,
  GRANTD_OTHER = 1, /* a code that this version does not know: see grantd_error_code */
  GRANTD_OUT_OF_MEMORY = 2,
  GRANTD_DAEMON_UNREACHABLE = 3, /* no daemon, or nothing that answers like one */
  GRANTD_TIMEOUT = 4,            /* grantd_client_options.timeout_ms has passed */
  GRANTD_INVALID_REQUEST = 5,
  GRANTD_ACCESS_DENIED = 6,
  GRANTD_UNKNOWN_CLIENT = 7,
  GRANTD_UNKNOWN_API = 8,
  GRANTD_NOT_FOUND = 9,
  GRANTD_METHOD_NOT_ALLOWED = 10,
  GRANTD_REQUEST_TIMEOUT = 11,
  GRANTD_PAYLOAD_TOO_LARGE = 12,
  GRANTD_HEADERS_TOO_LARGE = 13,
  GRANTD_TOO_MANY_REQUESTS = 14,
  GRANTD_INTERNAL_ERROR = 15,
  GRANTD_UPGRADE_NOT_SUPPORTED = 16,
  GRANTD_TOKEN_REQUEST_REJECTED = 17,
  GRANTD_INVALID_TOKEN_RESPONSE = 18,
  GRANTD_API_UNREACHABLE = 19,
  GRANTD_AUTHORIZATION_SERVER_UNAVAILABLE = 20,
  GRANTD_CLIENT_UNAVAILABLE = 21,
  GRANTD_TOO_MANY_CONNECTIONS = 22,
  GRANTD_TOKEN_REQUEST_TIMEOUT = 23,
  GRANTD_API_TIMEOUT = 24,
  GRANTD_INVALID_CONFIGURATION = 25
} grantd_status;

/* The code's name, e.g. "access_denied"; never NULL. */
GRANTD_EXPORT const char* grantd_status_name(grantd_status status);

/* ---- The way to the daemon ---- */

typedef struct grantd_client_options {
  size_t size;
  const char* socket; /* NULL: $GRANTD_SOCKET (not in a set-user-id program), else /run/grantd/grantd.sock */
  int64_t timeout_ms; /* of one call, everything included; 0: a minute */
} grantd_client_options;
#define GRANTD_CLIENT_OPTIONS_INIT {sizeof(grantd_client_options), NULL, 0}

/* Connects at the first call that needs it. `options` may be NULL. */
GRANTD_EXPORT grantd_status grantd_client_new(const grantd_client_options* options, grantd_client** client,
                                              grantd_error** error);
/* After the last call that uses it has returned. */
GRANTD_EXPORT void grantd_client_free(grantd_client* client);

/* ---- Tokens ---- */

typedef struct grantd_pair {
  const char* name;
  const char* value;
} grantd_pair;

/* What may be asked of a token beyond its definition; see grantd::TokenRequest. */
typedef struct grantd_token_request {
  size_t size;
  int force_renewal;           /* not 0: asks the authorization server even where a valid token is cached */
  const char* scope;           /* separated by spaces */
  const char* const* resource; /* resource indicators (RFC 8707) */
  size_t resource_count;
  const char* audience;
  const grantd_pair* parameters; /* further form parameters of the token request */
  size_t parameter_count;
  const char* assertion; /* sent in place of the definition's credentials; the token is not cached */
  int has_min_valid;     /* not 0: `min_valid` counts */
  int64_t min_valid;     /* least validity in seconds that the token must have left */
  const char*
      rejected; /* version of a token that an API refused: it is renewed, unless that was done already */
} grantd_token_request;
#define GRANTD_TOKEN_REQUEST_INIT \
  {sizeof(grantd_token_request), 0, NULL, NULL, 0, NULL, NULL, 0, NULL, 0, 0, NULL}

/* The token of a definition. `request` may be NULL. After an API has answered 401, ask again with the token's
   version as `rejected`, and send the request once more if the version is another one. */
GRANTD_EXPORT grantd_status grantd_get_access_token(grantd_client* client, const char* name,
                                                    const grantd_token_request* request, grantd_token** token,
                                                    grantd_error** error);

/* The access token itself. It is a secret. */
GRANTD_EXPORT const char* grantd_token_value(const grantd_token* token, size_t* length);
/* "Bearer" or "DPoP". */
GRANTD_EXPORT const char* grantd_token_type(const grantd_token* token, size_t* length);
/* As granted, separated by spaces. */
GRANTD_EXPORT const char* grantd_token_scope(const grantd_token* token, size_t* length);
/* Opaque: the same for the same token, different for another. */
GRANTD_EXPORT const char* grantd_token_version(const grantd_token* token, size_t* length);
/* Value of the Authorization header: type, space, value. It is a secret. */
GRANTD_EXPORT const char* grantd_token_authorization(const grantd_token* token, size_t* length);
/* Seconds since 1970. */
GRANTD_EXPORT int64_t grantd_token_expires_at(const grantd_token* token);
/* Wipes it. */
GRANTD_EXPORT void grantd_token_free(grantd_token* token);

/* Drops the definition's cached tokens: all of them, or the one that `which` names by scope, resource and
   audience. `which` may be NULL. */
GRANTD_EXPORT grantd_status grantd_evict(grantd_client* client, const char* name,
                                         const grantd_token_request* which, grantd_error** error);

/* A DPoP proof (RFC 9449) for a request that the caller sends itself with `token`; `nonce`: the API's, where
   it demanded one, else NULL. The proof is to be freed with grantd_string_free. */
GRANTD_EXPORT grantd_status grantd_dpop_proof(grantd_client* client, const char* name, const char* method,
                                              const char* url, const grantd_token* token, const char* nonce,
                                              char** proof, grantd_error** error);
GRANTD_EXPORT void grantd_string_free(char* string);

/* ---- Requests to APIs through the daemon, which adds the token ---- */

/* See grantd::Request. */
typedef struct grantd_request {
  size_t size;
  const char* method; /* NULL: GET */
  const char* path;   /* relative to the API's base_url, percent-encoded, with its query */
  const grantd_pair* headers;
  size_t header_count;
  const void* body; /* any bytes */
  size_t body_size;
  const char* content_type;
  const grantd_token_request* token; /* what the token must be like; may be NULL */
} grantd_request;
#define GRANTD_REQUEST_INIT {sizeof(grantd_request), NULL, NULL, NULL, 0, NULL, 0, NULL, NULL}

/* Every status of the API is a success. The response is held in memory: 256 MiB at most. */
GRANTD_EXPORT grantd_status grantd_send(grantd_client* client, const char* api, const grantd_request* request,
                                        grantd_response** response, grantd_error** error);

GRANTD_EXPORT int grantd_response_status(const grantd_response* response);
/* Any bytes. A NUL that is not counted follows them. */
GRANTD_EXPORT const char* grantd_response_body(const grantd_response* response, size_t* length);
/* The field's first value, whatever the case of its name; NULL: there is none. */
GRANTD_EXPORT const char* grantd_response_header(const grantd_response* response, const char* name);
/* All fields, ordered by name; those of one name in the order in which they came. */
GRANTD_EXPORT size_t grantd_response_header_count(const grantd_response* response);
/* `index` is below the count; else both members are NULL. */
GRANTD_EXPORT grantd_pair grantd_response_header_at(const grantd_response* response, size_t index);
GRANTD_EXPORT void grantd_response_free(grantd_response* response);

/* ---- Errors. No accessor returns NULL; none of them gives a token or a secret. ---- */

GRANTD_EXPORT grantd_status grantd_error_status(const grantd_error* error);
/* The code as the daemon gave it; for GRANTD_OTHER too. */
GRANTD_EXPORT const char* grantd_error_code(const grantd_error* error);
/* A sentence for people. */
GRANTD_EXPORT const char* grantd_error_message(const grantd_error* error);
/* Status of the daemon's answer; 0: there was none. */
GRANTD_EXPORT int grantd_error_http_status(const grantd_error* error);
/* RFC 6749 section 5.2, from the authorization server; empty: there was none. */
GRANTD_EXPORT const char* grantd_error_oauth_error(const grantd_error* error);
GRANTD_EXPORT const char* grantd_error_oauth_error_description(const grantd_error* error);
/* Seconds to wait before it is worth trying again; -1: not known. */
GRANTD_EXPORT int64_t grantd_error_retry_after(const grantd_error* error);
GRANTD_EXPORT void grantd_error_free(grantd_error* error);

#ifdef __cplusplus
}
#endif

#endif
