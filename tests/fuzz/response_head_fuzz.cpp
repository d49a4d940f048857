// What is accepted must be unambiguous: written out again from its parsed parts, it parses to the same
// response.
#include <cstdlib>
#include <string>

#include "daemon/http1/head.hpp"

using namespace grantd::daemon::http1;

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const std::string_view bytes{reinterpret_cast<const char*>(data), size};
  const auto end = head_size(bytes);
  ResponseHead head;
  if (!end || !parse_response_head(bytes.substr(0, *end), "GET", head)) return 0;

  std::string written = "HTTP/1." + std::to_string(head.minor_version) + " " + std::to_string(head.status) +
                        " " + std::string{head.reason} + "\r\n";
  for (const Field& field : head.fields) {
    written.append(field.name).append(": ").append(field.value).append("\r\n");
  }
  written += "\r\n";
  ResponseHead again;
  if (!parse_response_head(written, "GET", again)) std::abort();
  if (again.fields.size() != head.fields.size() || again.body.kind != head.body.kind ||
      again.body.size != head.body.size || again.keep_alive != head.keep_alive) {
    std::abort();
  }
  return 0;
}
