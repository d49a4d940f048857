#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "daemon/oauth/client_secret_basic.hpp"
#include "daemon/oauth/endpoint_client.hpp"
#include "tests/fakes/fixed_entropy.hpp"
#include "tests/fakes/log_recorder.hpp"
#include "tests/fakes/manual_clock.hpp"
#include "tests/fakes/scripted_transport.hpp"
#include "tests/unit/oauth/settable_secret.hpp"

namespace grantd::tests {

/// An endpoint client on a clock that the test moves, with a server that the test plays.
struct EndpointFixture {
  static constexpr std::string_view token =
      R"({"access_token":"s3cr3t-token","token_type":"Bearer","expires_in":60})";

  /// `next` is the secret to follow the first one, null: none.
  explicit EndpointFixture(std::shared_ptr<SettableSecret> next = nullptr) {
    auto settings = std::make_shared<config::ClientSettings>();
    settings->name = "a";
    settings->token_endpoint = {
        .text = "https://as.example/token?query", .host = "as.example", .path = "/token", .query = "query"};
    settings->client_id = "worker";
    settings->tls.ca_file = "/ca.pem";
    daemon::EndpointParts parts{time.timers, entropy, transport, log};
    flights = parts.flights;
    client = std::make_unique<daemon::EndpointClient>(
        settings,
        daemon::EndpointCredentials{
            .authentication = std::make_shared<daemon::ClientSecretBasic>(settings, secret, std::move(next))},
        parts, [this](std::string_view result, std::chrono::nanoseconds) { exchanges.emplace_back(result); });
  }
  EndpointFixture(const EndpointFixture&) = delete;
  EndpointFixture& operator=(const EndpointFixture&) = delete;

  void fetch() { client->fetch(variant, keep_answer()); }
  void fetch_with_assertion(std::string_view assertion) {
    client->fetch_with_assertion(variant, common::Secret{assertion}, keep_answer());
  }
  /// The oldest answer not taken yet: token and seconds of life, or the error's code; "waiting": none.
  std::string take() {
    if (answers.empty()) return "waiting";
    std::string first = answers.front();
    answers.pop_front();
    return first;
  }

  daemon::EndpointClient::Done keep_answer() {
    return [this](daemon::FetchResult result) {
      if (result) {
        return answers.push_back(std::string{result->access_token.reveal()} + " " +
                                 std::to_string(result->lifetime.count()));
      }
      answers.emplace_back(name(result.error().error.code));
      last_error = result.error();
    };
  }

  ManualTime time;
  FixedEntropy entropy;
  LogRecorder log;
  ScriptedTransport transport;
  std::shared_ptr<SettableSecret> secret = std::make_shared<SettableSecret>();
  daemon::Variant variant{.scope = {"x"}};
  std::shared_ptr<daemon::Flights> flights;
  std::unique_ptr<daemon::EndpointClient> client;

  std::deque<std::string> answers;
  daemon::FetchError last_error{};
  std::vector<std::string> exchanges;
};

}  // namespace grantd::tests
