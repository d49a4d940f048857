// The HTTP factory: the request goes through the daemon, and the token never enters this process.
#include <cstdio>
#include <grantd/client.hpp>

int main() {
  try {
    grantd::Client client;
    grantd::HttpClient invoices = client.http("invoices");
    const grantd::Response response = invoices.get("test");
    const bool retried = response.headers.contains("Grantd-Retried");
    std::printf("HTTP factory worker: %d %s%s\n", response.status, response.body.c_str(),
                retried ? "  (after a 401 that the daemon saw to)" : "");
    return response.status == 200 ? 0 : 1;
  } catch (const grantd::Error& error) {
    std::fprintf(stderr, "HTTP factory worker: %s\n", error.what());
    return 1;
  }
}
