#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

#include "config/nesting.hpp"
#include "config_text.hpp"
#include "scratch_directory.hpp"

using namespace grantd::tests;
using namespace grantd::config;

namespace {

std::string report(const std::expected<Settings, std::vector<ConfigError>>& settings) {
  std::string all;
  if (!settings) {
    for (const auto& error : settings.error()) all.append(error.text()).append("\n");
  }
  return all;
}

}  // namespace

TEST_CASE("load: the file, then conf.d in name order") {
  const ScratchDirectory directory;
  directory.write("grantd.toml", "[daemon]\nlog_level = 'debug'\n");
  directory.write("conf.d/20-api.toml", "[apis.a]\nclient = 'c'\nbase_url = 'https://api.example.com'\n");
  directory.write("conf.d/10-client.toml", good_client);
  directory.write("conf.d/.hidden.toml", "garbage");
  directory.write("conf.d/old.toml~", "garbage");
  directory.write("conf.d/README", "garbage");
  const auto settings = load(directory.path("grantd.toml"));
  CHECK(report(settings).empty());
  REQUIRE(settings.has_value());
  CHECK(settings->daemon.log_level == grantd::common::LogLevel::debug);
  CHECK(settings->clients.contains("c"));
  CHECK(settings->apis.contains("a"));
}

TEST_CASE("load: a file without conf.d beside it is enough") {
  const ScratchDirectory directory;
  directory.write("x.toml", good_client);
  CHECK(load(directory.path("x.toml")).has_value());
}

TEST_CASE("load: what two files define is an error that names both places") {
  const ScratchDirectory directory;
  directory.write("grantd.toml", "[daemon]\nsocket = '/a'\n\n" + std::string{good_client});
  directory.write("conf.d/x.toml", "[daemon]\nlog_level = 'info'\n [clients.c]\nscope = 'x'\n");
  const std::string main = directory.path("grantd.toml");
  const std::string fragment = directory.path("conf.d/x.toml");
  CHECK(report(load(main)) == fragment + ":1:2: daemon: defined twice; the first is at " + main + ":1:2\n" +
                                  fragment + ":3:11: clients.c: defined twice; the first is at " + main +
                                  ":4:10\n");
}

TEST_CASE(
    "load: the clients of many files are one table, and what stands in several has its first place in each "
    "error") {
  const ScratchDirectory directory;
  const std::string main = directory.path("grantd.toml");
  const auto client = [](const std::string& name) {
    return "[clients." + name +
           "]\ntoken_endpoint = 'https://a.example.com/t'\nclient_id = 'c'\nclient_secret_env = 'S'\n";
  };
  directory.write("grantd.toml", client("m"));
  directory.write("conf.d/1.toml", client("z") + client("b"));
  directory.write("conf.d/2.toml", client("y") + client("a"));
  const auto settings = load(main);
  CHECK(report(settings).empty());
  REQUIRE(settings.has_value());
  CHECK(settings->clients.size() == 5);

  directory.write("conf.d/3.toml", client("b"));
  directory.write("conf.d/4.toml", "clients = 1\n");
  directory.write("conf.d/5.toml", client("b"));
  const auto place = [&](const char* file) { return directory.path("conf.d/") + file + ".toml:"; };
  CHECK(report(load(main)) == place("3") + "1:10: clients.b: defined twice; the first is at " + place("1") +
                                  "5:10\n" + place("4") + "1:1: clients: defined twice; the first is at " +
                                  main + ":1:2\n" + place("5") +
                                  "1:10: clients.b: defined twice; the first is at " + place("1") + "5:10\n");
}

TEST_CASE("load: a table or key that a file defines twice is an error at the second") {
  CHECK(report_of("[daemon]\n[daemon]\n") == "grantd.toml:2:1: daemon: defined twice in this file\n");
  CHECK(report_of("[clients.\"a.b\"]\n[clients.\"a.b\"]\n") ==
        "grantd.toml:2:1: clients.\"a.b\": defined twice in this file\n");
  CHECK(report_of("[daemon]\nsocket = '/a'\nsocket = '/b'\n") ==
        "grantd.toml:3:10: socket: defined twice in this file\n");
  CHECK(report_of("[clients.c]\nparameters = { a = '1', a = '2' }\n") ==
        "grantd.toml:2:29: a: defined twice in this file\n");
  CHECK(report_of("a = 1\n'\u00e4 a' = 1\n'\u00e4 a' = 2\n") ==
        "grantd.toml:3:9: defined twice in this file\n");
}

TEST_CASE("load: a file that is missing, no file or too large is an error that names it") {
  const ScratchDirectory directory;
  const std::string missing = directory.path("missing.toml");
  CHECK(report(load(missing)) == missing + ": cannot open the file: No such file or directory\n");

  const std::string pipe = directory.path("pipe.toml");
  REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  CHECK(report(load(pipe)) == pipe + ": expected a regular file\n");

  directory.write("large.toml", std::string((16U << 20) + 1, '\n'));
  CHECK(report(load(directory.path("large.toml"))) ==
        directory.path("large.toml") + ": the file is too large; at most 16 MiB is read\n");
  directory.write("full.toml", std::string(16U << 20, '\n'));
  CHECK(load(directory.path("full.toml")).has_value());
}

TEST_CASE("load: a conf.d that is no readable directory is an error") {
  const ScratchDirectory directory;
  directory.write("grantd.toml", "");
  directory.write("conf.d", "a file");
  CHECK(report(load(directory.path("grantd.toml"))) == directory.path("conf.d") + ": expected a directory\n");
}

TEST_CASE("load: a fragment that cannot be read is an error") {
  const ScratchDirectory directory;
  directory.write("grantd.toml", "");
  directory.write("conf.d/a.toml", "");
  std::filesystem::create_symlink("/nonexistent", directory.path("conf.d/b.toml"));
  std::filesystem::create_directory(directory.path("conf.d/c.toml"));
  CHECK(report(load(directory.path("grantd.toml"))) ==
        directory.path("conf.d/b.toml") + ": cannot open the file: No such file or directory\n" +
            directory.path("conf.d/c.toml") + ": expected a regular file\n");
}

TEST_CASE("load: an inline secret is taken from a file that keeps it, and from no other") {
  const ScratchDirectory directory;
  const std::string text =
      "[clients.c]\ntoken_endpoint = 'https://a.example'\nclient_id = 'i'\nclient_secret = 'hunter2'\n";
  directory.write("grantd.toml", text);
  const std::string path = directory.path("grantd.toml");
  REQUIRE(::chmod(path.c_str(), 0600) == 0);
  CHECK(load(path).has_value());
  REQUIRE(::chmod(path.c_str(), 0604) == 0);
  CHECK(contains(report(load(path)),
                 path + ":4:1: clients.c.client_secret: the file must keep an inline secret"));
}

TEST_CASE("load: a file that is no TOML does not hide what is wrong in the others") {
  SourceFiles files;
  files.files.push_back(source("a.toml", "[clients.c\n"));
  files.files.push_back(source("b.toml", "[apis.a]\nclient = 'c'\nbase_url = 5\n"));
  CHECK(report(interpret(files)) ==
        "a.toml:1:11: expected a table header such as [clients.\"name\"]\n"
        "b.toml:3:12: apis.a.base_url: expected a string, found an integer\n");
}

TEST_CASE("load: what is no TOML is an error with its place and the kind of mistake") {
  struct Broken {
    std::string_view text;
    std::string_view error;
  };
  for (const auto& [text, error] : {
           Broken{"[daemon]\nsocket = /run/x\n",
                  "grantd.toml:2:10: expected a value here; text stands in quotes\n"},
           Broken{"[daemon]\nsocket =\n", "grantd.toml:2:9: expected a value here; text stands in quotes\n"},
           Broken{"a = \"open\n", "grantd.toml:1:10: expected a string that is closed on the same line"},
           Broken{"a = 'b' 'c'\n", "grantd.toml:1:9: expected valid TOML here\n"},
           Broken{"a = \xff\n", "expected UTF-8; the file holds other bytes\n"},
           Broken{"a = 99999999999999999999\n", "expected a number of at most 64 bits\n"},
       }) {
    CAPTURE(text);
    const std::string found = report_of(text);
    CAPTURE(found);
    CHECK(contains(found, error));
  }
}

TEST_CASE("load: nesting beyond any need is refused before it can exhaust the stack") {
  std::string dotted = "a";
  for (int i = 0; i < 200'000; ++i) dotted.append(".a");
  CHECK(contains(report_of(dotted + " = 1\n"),
                 "grantd.toml:1:32: tables, arrays or dotted keys nest too deeply"));
  CHECK(contains(report_of("[" + dotted + "]\n"), "nest too deeply"));
  CHECK(contains(report_of("a = " + std::string(100'000, '[')), "grantd.toml:1:21: tables, arrays"));
  std::string inline_tables = "a = ";
  for (int i = 0; i < 100'000; ++i) inline_tables.append("{a=");
  CHECK(contains(report_of(inline_tables), "nest too deeply"));
}

TEST_CASE("nesting: dots and brackets within strings and comments do not count") {
  const std::string dots(100, '.');
  const std::string brackets(100, '[');
  for (const std::string& text :
       {"a = '" + dots + brackets + "'", "a = \"\\\"" + dots + brackets + "\\\\\"", "# " + dots + brackets,
        "a = \"\"\"\n\\\"\"\"\n" + dots + brackets + "\"\"\"\"\"", "a = '''\n''" + dots + brackets + "'''",
        std::string{"a = ''\nb = \"\""},
        std::string{"a.b.c = 1.5\n[x.y]\nz = [[1.5, 2.5], {a.b = 1.5}]\n"}}) {
    CAPTURE(text);
    CHECK_FALSE(find_deep_nesting(text).has_value());
  }
  CHECK(find_deep_nesting("a = '''x'''\n" + dots)->line == 2);
  CHECK(find_deep_nesting("a = \"x\" # \"\n" + dots)->column == 16);
}
