/* A host process that closes descriptors which are not its own, and whose next files get their numbers. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "token_reader.h"

enum { pairs = 12, first_number = 3, numbers = 64 };

static int stranger[pairs];
static int other_end[pairs];

/* Each stranger has one byte to be read, which nobody but its owner may take. */
static int put_strangers(void) {
  for (int i = 0; i < pairs; ++i) {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends) != 0) return 0;
    /* Both ends low: any number the library knows may be any of them. */
    stranger[i] = ends[0];
    other_end[i] = ends[1];
    if (write(ends[0], "x", 1) != 1 || write(ends[1], "x", 1) != 1) return 0;
  }
  return 1;
}

static int untouched(int descriptor) {
  char received[8];
  return fcntl(descriptor, F_GETFD) >= 0 && read(descriptor, received, sizeof received) == 1 &&
         received[0] == 'x';
}

static int can_get(grantd_client* client, const char* name) {
  grantd_token* token = NULL;
  const grantd_status status = grantd_get_access_token(client, name, NULL, &token, NULL);
  grantd_token_free(token);
  if (status != GRANTD_OK) fprintf(stderr, "%s: %s\n", name, grantd_status_name(status));
  return status == GRANTD_OK;
}

int reuse_numbers(const char* first, const char* second) {
  grantd_client* const client = new_client();
  grantd_client* const never_used_again = new_client();
  int right = can_get(client, first) && can_get(never_used_again, first);
  for (int number = first_number; number < numbers; ++number) close(number);
  if (!put_strangers()) return 2;
  right = right && can_get(client, first);  /* out of its page, which needs no descriptor */
  right = right && can_get(client, second); /* over a new connection */
  grantd_client_free(never_used_again);
  grantd_client_free(client);
  for (int i = 0; i < pairs; ++i) right = right && untouched(stranger[i]) && untouched(other_end[i]);
  puts(right ? "untouched" : "touched");
  return !right;
}
