// What is accepted must be unambiguous: written out again from its parsed parts, it parses to the same
// request.
#include <cstdlib>
#include <string>

#include "daemon/http1/head.hpp"

using namespace grantd::daemon::http1;

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const std::string_view bytes{reinterpret_cast<const char*>(data), size};
  const auto end = head_size(bytes);
  RequestHead head;
  if (!end || !parse_request_head(bytes.substr(0, *end), head)) return 0;

  std::string written = std::string{head.method} + " " + std::string{head.target} + " HTTP/1." +
                        std::to_string(head.minor_version) + "\r\n";
  for (const Field& field : head.fields) {
    written.append(field.name).append(": ").append(field.value).append("\r\n");
  }
  written += "\r\n";
  RequestHead again;
  if (!parse_request_head(written, again)) std::abort();
  if (again.fields.size() != head.fields.size() || again.body.kind != head.body.kind ||
      again.body.size != head.body.size || again.host != head.host || again.path != head.path ||
      again.query != head.query || again.keep_alive != head.keep_alive) {
    std::abort();
  }
  return 0;
}
