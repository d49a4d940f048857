// `grantctl call`: curl's manners where they fit (-X, -H, -d, -i), both bodies streamed, and the token added
// by the daemon.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdint>
#include <memory>
#include <system_error>
#include <vector>

#include "cli/context.hpp"
#include "cli/output.hpp"
#include "cli/progress.hpp"
#include "client-lib/src/api_call.hpp"
#include "common/unique_fd.hpp"

namespace grantd::cli {
namespace {

struct CallArguments {
  std::string api;
  std::string path;
  std::string method;
  std::vector<std::string> headers;
  std::string data;
  bool has_data = false;
  bool show_head = false;
};

[[noreturn]] void refuse(const std::string& sentence) { throw Error("invalid_request", sentence); }

std::optional<std::uint64_t> content_length(const detail::ResponseHead& head) {
  const auto field = head.find("Content-Length");
  std::uint64_t size = 0;
  if (!field || std::from_chars(field->data(), field->data() + field->size(), size).ec != std::errc{})
    return std::nullopt;
  return size;
}

class Printer final : public detail::ApiResponseTaker {
 public:
  Printer(bool show_head, Progress& progress) : show_head_(show_head), progress_(progress) {}

  void head(const detail::ResponseHead& head) override {
    status_ = head.status;
    progress_.begin(content_length(head));
    if (!show_head_) return;
    std::string text = "HTTP/1.1 " + std::to_string(head.status) + " " + printable(head.reason) + "\r\n";
    for (const auto& [name, value] : head.fields) text += name + ": " + printable(value) + "\r\n";
    print(text + "\r\n");
  }
  void body(std::string_view piece) override {
    print(piece);
    progress_.moved(piece.size());
  }
  int status() const { return status_; }

 private:
  bool show_head_;
  Progress& progress_;
  int status_ = 0;
};

/// Tells the progress of what is read; the body that is given as text is over at once.
void watch(BodySource& source, Progress& progress) {
  progress.begin(source.size);
  if (!source.read) return;
  source.read = [read = std::move(source.read), &progress](std::span<char> buffer) {
    const std::size_t size = read(buffer);
    progress.moved(size);
    return size;
  };
}

// "Name: value"; curl's "Name;" for an empty value.
std::pair<std::string, std::string> parse_header(const std::string& line) {
  if (line.ends_with(';') && line.find(':') == std::string::npos)
    return {line.substr(0, line.size() - 1), ""};
  const auto colon = line.find(':');
  if (colon == std::string::npos) refuse("a header is given as \"Name: value\"");
  const auto value = line.find_first_not_of(" \t", colon + 1);
  return {line.substr(0, colon), value == std::string::npos ? std::string{} : line.substr(value)};
}

// What is read from a file or from standard input. The size is known for a regular file alone.
BodySource file_source(const std::string& name, common::UniqueFd& file) {
  int fd = STDIN_FILENO;
  if (name != "-") {
    file.reset(::open(name.c_str(), O_RDONLY | O_CLOEXEC));
    if (!file) refuse(name + " cannot be read: " + std::generic_category().message(errno));
    fd = file.get();
  }
  BodySource source;
  struct stat status{};
  // A size of zero is what special files claim.
  if (file && ::fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && status.st_size > 0) {
    source.size = static_cast<std::uint64_t>(status.st_size);
  }
  source.read = [fd, name](std::span<char> buffer) {
    ssize_t size = 0;
    do {
      size = ::read(fd, buffer.data(), buffer.size());
    } while (size < 0 && errno == EINTR);
    if (size < 0) refuse(name + " cannot be read: " + std::generic_category().message(errno));
    return static_cast<std::size_t>(size);
  };
  return source;
}

int run(const Context& context, const CallArguments& arguments) {
  Request request{.method = arguments.method, .path = arguments.path};
  if (request.method.empty()) request.method = arguments.has_data ? "POST" : "GET";
  for (const std::string& line : arguments.headers) request.headers.insert(parse_header(line));
  common::UniqueFd file;
  BodySource source;
  if (arguments.has_data) {
    if (arguments.data.starts_with('@')) {
      source = file_source(arguments.data.substr(1), file);
    } else {
      request.body = arguments.data;
    }
    if (!request.headers.contains("Content-Type")) request.content_type = "application/x-www-form-urlencoded";
  }
  Progress progress;
  watch(source, progress);
  Printer printer(arguments.show_head, progress);
  detail::Connector connector(context.options());
  detail::stream_api(connector, arguments.api, request, source, printer, {});
  return printer.status() >= 400 ? request_failed : done;
}

}  // namespace

void add_call_command(CLI::App& app, Context& context) {
  CLI::App& command = add_command(app, context, "call", "Send a request to an API with its token");
  const auto arguments = std::make_shared<CallArguments>();
  command.add_option("API", arguments->api, "Name of the API definition")->type_name("")->required();
  command.add_option("PATH", arguments->path, "Path and query below the API's base_url")
      ->type_name("")
      ->required();
  command.add_option("-X", arguments->method, "Method [GET, with -d POST]")->type_name("METHOD");
  command.add_option("-H", arguments->headers, "A header, \"Name: value\"; may be repeated")
      ->type_name("HEADER")
      ->allow_extra_args(false);
  const auto* data = command
                         .add_option("-d", arguments->data,
                                     "The request's body: the text itself, a file's, or standard input's")
                         ->type_name("DATA|@FILE|@-");
  command.add_flag("-i", arguments->show_head, "Print status line and headers too");
  command.footer(
      "Where the API answers with a status of 400 or above, the body is printed all the same and the exit "
      "status is 1.\n"
      "A long transfer into a file or pipe shows its progress where standard error is a terminal.");
  command.callback([&context, arguments, data] {
    arguments->has_data = data->count() > 0;
    context.exit_status = run(context, *arguments);
  });
}

}  // namespace grantd::cli
