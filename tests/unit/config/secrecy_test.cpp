// No message quotes what may be a secret, whatever is wrong with it or around it.
#include "config_text.hpp"

using namespace grantd::tests;

namespace {
constexpr std::string_view marker = "hunter2-SECRET";
}

TEST_CASE("secrecy: no error quotes a configured value") {
  const std::string m{marker};
  for (const std::string& text : {
           "[clients.c]\nclient_secret = '" + m + "\n",
           "[clients.c]\nclient_secret = " + m + "\n",
           "[clients.c]\nclient_secret = \"" + m + "\\q\"\n",
           "[clients.c]\nclient_secret = '" + m + "' '" + m + "'\n",
           "[clients.c]\nclient_secret = '''" + m,
           "[clients.c]\nclient_secret = '" + m + "'\nclient_secret = '" + m + "'\n",
           "[clients.c]\nclient_secret = ['" + m + "']\n",
           "[clients.c]\nclient_secret = \"\\u00e4" + m + "\"\n",
           "[clients.c]\nclient_secert = '" + m + "'\n",
           "[clients.c]\nclient_secret_file = '" + m + "'\nclient_secret_env = '" + m + "'\n",
           "[clients.c]\nclient_secret_credential = '/" + m + "'\n",
           "[clients.c]\nparameters = { password = '" + m + "', a = ['" + m + "'] }\n",
           "[clients.c]\nparameters = '" + m + "'\n",
           "[clients.c]\nheaders = { Authorization = 'Basic " + m + "', X-A = \"" + m + "\\n\" }\n",
           "[clients.c]\nheaders = { 'Authorization: Basic " + m + "' = '' }\n",
           "[clients.c]\nheaders = '" + m + "'\n",
           "[clients.c]\ntoken_endpoint = 'https://user:" + m + "@a.example/'\nissuer = 'http://" + m + "'\n",
           "[clients.c]\ntoken_endpoint = 'https://a.example/?" + m + " '\n",
           "[clients.c]\nclient_id = \"" + m + "\\n\"\nscope = '" + m + "\"'\nresource = '" + m + "'\n",
           "[clients.c]\nhttp_proxy = 'http://u:" + m + "@p:1'\nprivate_key_id = \"" + m + "\\n\"\n",
           "[apis.a]\nclient = '" + m + "'\nbase_url = '" + m + "'\nheaders = { X-A = '" + m + " ' }\n",
           "[cache]\nshared = 'redis://:" + m + "@h:1'\n",
           "[daemon]\nadmin_users = ['" + m + ":']\nlog_level = '" + m + "'\nsocket = '" + m + "'\n",
           "unknown = '" + m + "'\n",
           "[unknown]\nsecret = '" + m + "'\n",
           m + "\n",
           "'" + m + "'\n",
           "[x]\n'" + m + "', {a=1,a=2}\n",
       }) {
    CAPTURE(text);
    const std::string report = report_of(text);
    CAPTURE(report);
    CHECK_FALSE(report.empty());
    CHECK_FALSE(contains(report, marker));
  }
}

TEST_CASE("secrecy: names on a terminal are harmless and short") {
  const std::string report =
      report_of("\"\\u001b[31m\\n\u00e4\" = 1\n\"" + std::string(100'000, 'k') + "\" = 1\n");
  CHECK(contains(report, "\"\\x1b[31m\\x0a\\xc3\\xa4\": unknown key"));
  CHECK(report.size() < 1000);
}
