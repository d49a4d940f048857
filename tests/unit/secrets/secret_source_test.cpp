#include "daemon/secrets/secret_source.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <chrono>
#include <filesystem>
#include <fstream>

#include "tests/fakes/log_recorder.hpp"

namespace {

namespace fs = std::filesystem;
using grantd::common::ErrorCode;
using grantd::common::Secret;
using grantd::daemon::make_secret_source;
using grantd::daemon::SecretSource;
using grantd::tests::LogRecorder;
namespace config = grantd::config;

struct Directory {
  fs::path path;
  Directory() {
    std::string pattern = (fs::temp_directory_path() / "grantd-secrets-").string() + std::string(6, 'X');
    REQUIRE(::mkdtemp(pattern.data()) != nullptr);
    path = pattern;
  }
  ~Directory() { fs::remove_all(path); }
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;

  fs::path file(std::string_view name, std::string_view content) const {
    std::ofstream{path / name} << content;
    return path / name;
  }
  /// Rotation as tools do it: a new file takes the old one's name.
  void replace(std::string_view name, std::string_view content) const {
    fs::rename(file("replacement", content), path / name);
  }
};

struct Variable {
  const char* name;
  Variable(const char* variable, const std::string& value) : name(variable) {
    ::setenv(name, value.c_str(), 1);
  }
  ~Variable() { ::unsetenv(name); }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;
};

std::string text(SecretSource& source) {
  const auto secret = source.read();
  return secret ? std::string{(*secret)->reveal()} : "error: " + secret.error().detail;
}

struct Fixture {
  Directory directory;
  LogRecorder log;

  std::shared_ptr<SecretSource> of_file(const fs::path& path) {
    return make_secret_source(config::FileSource{.path = path}, {.client = "a", .key = "client_secret"}, log);
  }
  std::string content_read_as(std::string_view content) {
    return text(*of_file(directory.file("secret", content)));
  }
  /// What the error says; also that its code is the right one.
  std::string complaint(SecretSource& source) {
    const auto secret = source.read();
    REQUIRE_FALSE(secret.has_value());
    CHECK(secret.error().code == ErrorCode::client_unavailable);
    return secret.error().detail;
  }
  bool complains(const fs::path& path, std::string_view why) {
    const auto source = of_file(path);
    const std::string detail = complaint(*source);
    return detail.find(why) != std::string::npos && detail.find(path.string()) != std::string::npos &&
           detail.find("client_secret_file") != std::string::npos;
  }
};

}  // namespace

TEST_CASE("secret file: one trailing newline is dropped and nothing else") {
  Fixture f;
  CHECK(f.content_read_as("s3cret") == "s3cret");
  CHECK(f.content_read_as("s3cret\n") == "s3cret");
  CHECK(f.content_read_as("s3cret\r\n") == "s3cret");
  CHECK(f.content_read_as("s3cret\n\n") == "s3cret\n");
  CHECK(f.content_read_as(" two\nlines \n") == " two\nlines ");
}

TEST_CASE("secret file: missing, empty, too large or no regular file is an error that names it and the key") {
  Fixture f;
  CHECK(f.complains(f.directory.path / "absent", "No such file"));
  CHECK(f.complains(f.directory.file("empty", ""), "is empty"));
  CHECK(f.complains(f.directory.file("newline", "\n"), "is empty"));
  CHECK(f.complains(f.directory.file("large", std::string(65537, 'x')), "64 KiB"));
  CHECK(f.complains(f.directory.path, "not a regular file"));
  CHECK(f.complains("/dev/zero", "not a regular file"));
  CHECK(f.content_read_as(std::string(65536, 'x')).size() == 65536);
}

TEST_CASE("secret file: a FIFO blocks nobody") {
  Fixture f;
  const fs::path fifo = f.directory.path / "fifo";
  REQUIRE(::mkfifo(fifo.c_str(), 0600) == 0);
  CHECK(f.complains(fifo, "not a regular file"));
}

TEST_CASE("secret file: is read again when it was replaced") {
  Fixture f;
  const auto source = f.of_file(f.directory.file("secret", "old"));
  CHECK(source->changed());
  CHECK(text(*source) == "old");
  CHECK_FALSE(source->changed());
  f.directory.replace("secret", "new");
  CHECK(source->changed());
  CHECK(text(*source) == "new");
  CHECK_FALSE(source->changed());
}

TEST_CASE("secret file: is read again when it was rewritten in place with the same size") {
  Fixture f;
  const fs::path path = f.directory.file("secret", "old");
  const auto source = f.of_file(path);
  CHECK(text(*source) == "old");
  f.directory.file("secret", "new");
  fs::last_write_time(path, fs::last_write_time(path) + std::chrono::seconds{1});
  CHECK(source->changed());
  CHECK(text(*source) == "new");
}

TEST_CASE("secret file: an unchanged file is not read again") {
  Fixture f;
  const auto source = f.of_file(f.directory.file("secret", "s3cret"));
  const auto first = source->read();
  const auto second = source->read();
  CHECK(first->get() == second->get());
}

TEST_CASE("secret file: where reading again fails the last secret is used, with one warning a change") {
  Fixture f;
  const fs::path path = f.directory.file("secret", "s3cret");
  const auto source = f.of_file(path);
  CHECK(text(*source) == "s3cret");
  fs::remove(path);
  CHECK(source->changed());
  for (int i = 0; i < 3; ++i) CHECK(text(*source) == "s3cret");
  CHECK_FALSE(source->changed());
  CHECK(f.log.lines().size() == 1);
  CHECK(f.log.has("event=secret_not_reread client=a"));
  CHECK(f.log.has(path.string()));

  f.directory.replace("secret", "");
  for (int i = 0; i < 3; ++i) CHECK(text(*source) == "s3cret");
  CHECK(f.log.lines().size() == 2);

  f.directory.replace("secret", "newer");
  CHECK(text(*source) == "newer");
  fs::remove(path);
  CHECK(text(*source) == "newer");
  CHECK(f.log.lines().size() == 3);
  CHECK_FALSE(f.log.has("s3cret"));
}

TEST_CASE("secret file: one that appears later is found at the next use") {
  Fixture f;
  const auto source = f.of_file(f.directory.path / "secret");
  f.complaint(*source);
  CHECK_FALSE(source->changed());
  f.directory.file("secret", "s3cret");
  CHECK(source->changed());
  CHECK(text(*source) == "s3cret");
}

TEST_CASE("secret credential: comes from systemd's directory and is read once") {
  Fixture f;
  const Variable variable{"CREDENTIALS_DIRECTORY", f.directory.path.string()};
  f.directory.file("id.secret", "s3cret\n");
  const auto source = make_secret_source(config::CredentialSource{.name = "id.secret"},
                                         {.client = "a", .key = "client_secret"}, f.log);
  CHECK(text(*source) == "s3cret");
  f.directory.replace("id.secret", "other");
  CHECK_FALSE(source->changed());
  CHECK(text(*source) == "s3cret");
}

TEST_CASE("secret credential: a missing one says what to give the service") {
  Fixture f;
  ::unsetenv("CREDENTIALS_DIRECTORY");
  const auto source = make_secret_source(config::CredentialSource{.name = "id.secret"},
                                         {.client = "a", .key = "client_secret"}, f.log);
  CHECK(f.complaint(*source).find("$CREDENTIALS_DIRECTORY is not set") != std::string::npos);
  const Variable variable{"CREDENTIALS_DIRECTORY", f.directory.path.string()};
  CHECK(f.complaint(*source).find("LoadCredential=") != std::string::npos);
  f.directory.file("id.secret", "s3cret");
  CHECK(text(*source) == "s3cret");
}

TEST_CASE("secret variable: set, empty, unset") {
  Fixture f;
  const config::EnvironmentSource configured{.variable = "GRANTD_UNIT_TEST_SECRET"};
  const auto source = make_secret_source(configured, {.client = "a", .key = "client_secret"}, f.log);
  CHECK(f.complaint(*source).find("GRANTD_UNIT_TEST_SECRET") != std::string::npos);
  {
    const Variable empty{"GRANTD_UNIT_TEST_SECRET", ""};
    CHECK(f.complaint(*source).find("is empty") != std::string::npos);
  }
  const Variable variable{"GRANTD_UNIT_TEST_SECRET", "s3cret\n"};
  CHECK(text(*source) == "s3cret");
  CHECK_FALSE(source->changed());
}

TEST_CASE("inline secret: is taken as it stands") {
  Fixture f;
  const auto secret = std::make_shared<const Secret>("s3cret");
  const auto source = make_secret_source(config::InlineSource{.value = secret},
                                         {.client = "a", .key = "client_secret"}, f.log);
  CHECK(source->read().value() == secret);
  CHECK_FALSE(source->changed());
}
