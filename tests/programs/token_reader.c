/* token-reader MODE ARGUMENT...: see token_reader.h. In the mode "ask" it does what the lines of its input
   say, for tests that act in between: get NAME [force] [min_valid=N] [rejected=VERSION] [audience=A] prints
   the token's value and version, or the error's code evict NAME prints "done", or the error's code */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "token_reader.h"

static void answer(grantd_client* client, char* rest) {
  grantd_token_request request = GRANTD_TOKEN_REQUEST_INIT;
  const char* const name = strtok(rest, " ");
  int plain = 1;
  for (const char* word = strtok(NULL, " "); word != NULL; word = strtok(NULL, " ")) {
    plain = 0;
    if (strcmp(word, "force") == 0) request.force_renewal = 1;
    if (strncmp(word, "rejected=", 9) == 0) request.rejected = word + 9;
    if (strncmp(word, "audience=", 9) == 0) request.audience = word + 9;
    if (strncmp(word, "min_valid=", 10) == 0) {
      request.has_min_valid = 1;
      request.min_valid = atoll(word + 10);
    }
  }
  grantd_token* token = NULL;
  const grantd_status status = grantd_get_access_token(client, name, plain ? NULL : &request, &token, NULL);
  if (status == GRANTD_OK) {
    printf("%s %s\n", grantd_token_value(token, NULL), grantd_token_version(token, NULL));
  } else {
    printf("%s\n", grantd_status_name(status));
  }
  grantd_token_free(token);
}

static int ask(void) {
  grantd_client* const client = new_client();
  char line[4096];
  while (fgets(line, sizeof line, stdin) != NULL) {
    line[strcspn(line, "\n")] = '\0';
    if (strncmp(line, "get ", 4) == 0) answer(client, line + 4);
    if (strncmp(line, "evict ", 6) == 0) {
      const grantd_status status = grantd_evict(client, line + 6, NULL, NULL);
      puts(status == GRANTD_OK ? "done" : grantd_status_name(status));
    }
    fflush(stdout);
  }
  grantd_client_free(client);
  return 0;
}

int main(int count, char** arguments) {
  const char* const mode = count > 1 ? arguments[1] : "";
  if (strcmp(mode, "ask") == 0) return ask();
  if (strcmp(mode, "watch") == 0 && count == 4) return watch(arguments[2], atof(arguments[3]));
  if (strcmp(mode, "confined") == 0 && count == 4)
    return read_without_system_calls(arguments[2], atol(arguments[3]));
  if (strcmp(mode, "frozen") == 0 && count == 4) return read_what_is_frozen(arguments[2], atol(arguments[3]));
  if (strcmp(mode, "forking") == 0 && count == 4) return read_beside_forks(arguments[2], atoi(arguments[3]));
  if (strcmp(mode, "swarm") == 0 && count == 5)
    return swarm(arguments[2], atoi(arguments[3]), atof(arguments[4]));
  if (strcmp(mode, "strangers") == 0 && count == 4) return reuse_numbers(arguments[2], arguments[3]);
  fputs("see the source\n", stderr);
  return 64;
}
