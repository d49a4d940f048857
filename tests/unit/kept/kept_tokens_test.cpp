#include "daemon/kept/kept_tokens.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>

#include "tests/fakes/log_recorder.hpp"

using namespace grantd;
using namespace std::chrono_literals;
using daemon::DefinitionFingerprint;
using daemon::DpopKey;
using daemon::KeptTokens;
using daemon::TokenUse;
using daemon::Variant;

namespace {

/// Processes one after the other, and the manager who holds the memory in between.
struct Processes {
  Processes() { next(); }

  void next() {
    common::UniqueFd left{tokens ? ::dup(tokens->descriptor()) : -1};
    if (tokens) tokens->leave();
    tokens = std::make_unique<KeptTokens>(log);
    tokens->begin(std::move(left), common::BootTime{now});
  }
  std::shared_ptr<daemon::TokenKeeper> keeper(const std::string& client = "client") {
    return tokens->keeper({client, [this] { return fingerprint; }, [this] { return key; }});
  }
  daemon::Token token(std::string text) const {
    return {.obtained = common::BootTime{now},
            .expires = common::BootTime{now + 300s},
            .expires_wall = common::WallTime{now + 300s},
            .access_token = common::Secret{text},
            .type = key ? daemon::TokenType::dpop : daemon::TokenType::bearer,
            .scope = "granted",
            .version = "v-" + text,
            .binding = key ? std::make_shared<const daemon::TokenBinding>(daemon::TokenBinding{key, "ath"})
                           : nullptr};
  }
  std::vector<std::string> restored(const std::string& client = "client") {
    std::vector<std::string> texts;
    taken = keeper(client)->take_tokens();
    for (const auto& one : taken) texts.emplace_back(one.token->access_token.reveal());
    return texts;
  }

  tests::LogRecorder log;
  std::chrono::seconds now = 1000s;
  DefinitionFingerprint fingerprint{"definition", "credential"};
  std::shared_ptr<const DpopKey> key;
  std::unique_ptr<KeptTokens> tokens;
  std::vector<daemon::RestoredToken> taken;
};

}  // namespace

TEST_CASE("kept tokens: a token comes back as it was, once") {
  Processes p;
  const Variant variant{
      .scope = {"a", "b"}, .resource = {"urn:x"}, .audience = "y", .parameters = {{"n", "v"}}};
  const auto kept = p.keeper()->keep(variant, p.token("text"), {.used = false});
  kept->set_use({.used = true, .from_rejection = true, .same_token_again = true});
  p.next();
  REQUIRE(p.restored() == std::vector<std::string>{"text"});
  const auto& one = p.taken[0];
  CHECK(one.variant == variant);
  CHECK(one.use == TokenUse{true, true, true});
  CHECK(one.token->type == daemon::TokenType::bearer);
  CHECK(one.token->scope == "granted");
  CHECK(one.token->version == "v-text");
  CHECK(one.token->obtained == common::BootTime{1000s});
  CHECK(one.token->expires == common::BootTime{1300s});
  CHECK(one.token->expires_wall == common::WallTime{1300s});
  CHECK(one.token->binding == nullptr);
  CHECK(p.keeper()->take_tokens().empty());
}

TEST_CASE("kept tokens: what is restored and still owned comes back to the process after the next, too") {
  Processes p;
  const auto kept = p.keeper()->keep({}, p.token("text"), {});
  for (int i = 0; i < 3; ++i) {
    p.next();
    CHECK(p.restored() == std::vector<std::string>{"text"});
  }
  p.taken.clear();
  p.next();
  CHECK(p.restored().empty());
}

TEST_CASE("kept tokens: an expired token is not restored") {
  Processes p;
  const auto kept = p.keeper()->keep({}, p.token("text"), {});
  p.now += 300s;
  p.next();
  CHECK(p.restored().empty());
  CHECK(p.log.lines().empty());
}

TEST_CASE(
    "kept tokens: what does not fit its definition any more is dropped, with a line that names the client") {
  Processes p;
  const auto kept = p.keeper()->keep({}, p.token("secret-text"), {});
  const auto other = p.keeper("gone")->keep({}, p.token("secret-text"), {});
  SUBCASE("another endpoint") { p.fingerprint.definition = "another"; }
  SUBCASE("another credential") { p.fingerprint.credential = "another"; }
  p.next();
  CHECK(p.restored().empty());
  p.tokens->drop_untaken();
  CHECK(p.log.count("event=kept_tokens_dropped client=client") == 1);
  CHECK(p.log.count("event=kept_tokens_dropped client=gone") == 1);
  CHECK_FALSE(p.log.has("secret-text"));
  p.fingerprint = {"definition", "credential"};
  p.next();
  CHECK(p.restored().empty());
}

TEST_CASE("kept tokens: a credential that cannot be read now takes no token away") {
  Processes p;
  const auto kept = p.keeper()->keep({}, p.token("text"), {});
  p.fingerprint.credential.clear();
  p.next();
  CHECK(p.restored() == std::vector<std::string>{"text"});
}

TEST_CASE("kept tokens: a key made here comes back with the tokens that are bound to it") {
  Processes p;
  constexpr auto algorithm = config::SigningAlgorithm::ES256;
  p.key = DpopKey::generate(algorithm);
  const auto kept_key = p.tokens->keep_dpop_key("client", "definition", algorithm, *p.key);
  const auto kept = p.keeper()->keep({}, p.token("text"), {});
  const auto binding = p.keeper()->keep_binding("v-older", {p.key, "older ath"}, common::BootTime{1300s});
  const std::string thumbprint = p.key->thumbprint();
  p.next();
  auto again = p.tokens->take_dpop_key("client", "definition", algorithm);
  REQUIRE(again.key);
  CHECK(again.key->thumbprint() == thumbprint);
  p.key = again.key;
  CHECK(p.restored() == std::vector<std::string>{"text"});
  CHECK(p.taken[0].token->binding->key == again.key);
  CHECK(p.taken[0].token->binding->access_token_hash == "ath");
  const auto bindings = p.keeper()->take_bindings();
  REQUIRE(bindings.size() == 1);
  CHECK(bindings[0].version == "v-older");
  CHECK(bindings[0].binding->access_token_hash == "older ath");
}

TEST_CASE("kept tokens: a token bound to a key that is not there is not restored") {
  Processes p;
  constexpr auto algorithm = config::SigningAlgorithm::ES256;
  p.key = DpopKey::generate(algorithm);
  const auto kept_key = p.tokens->keep_dpop_key("client", "definition", algorithm, *p.key);
  const auto kept = p.keeper()->keep({}, p.token("text"), {});
  p.next();
  CHECK(p.tokens->take_dpop_key("client", "another", algorithm).key == nullptr);
  CHECK(p.tokens->take_dpop_key("client", "definition", config::SigningAlgorithm::EdDSA).key == nullptr);
  p.key = DpopKey::generate(algorithm);
  CHECK(p.restored().empty());
  p.key = nullptr;
  CHECK(p.restored().empty());
}

TEST_CASE("kept tokens: without a manager nothing is kept, and nothing is lost by that") {
  tests::LogRecorder log;
  KeptTokens tokens{log};
  const Processes p;
  const auto keeper =
      tokens.keeper({"client", [] { return DefinitionFingerprint{}; }, [] { return nullptr; }});
  CHECK(keeper->keep({}, p.token("text"), {}) == nullptr);
  CHECK(keeper->take_tokens().empty());
  CHECK(tokens.descriptor() == -1);
}

TEST_CASE("kept tokens: memory of another layout is dropped with a line, and a new one begun") {
  tests::LogRecorder log;
  KeptTokens tokens{log};
  CHECK(tokens.begin(common::UniqueFd{::open("/dev/null", O_RDWR)}, common::BootTime{}));
  CHECK(log.has("event=kept_tokens_dropped reason=\"what the service manager held is no sealed memory"));
  CHECK(tokens.descriptor() >= 0);
}

TEST_CASE("kept tokens: a record that cannot be decoded is dropped with a line") {
  Processes p;
  {
    auto memory = daemon::KeptMemory::open(common::UniqueFd{::dup(p.tokens->descriptor())});
    memory->records();
    memory->write(1, "nonsense", 0);
    memory->write(99, "", 0);
  }
  p.next();
  CHECK(p.log.has("event=kept_tokens_dropped reason=\"their checksum or form is wrong\" records=2"));
}
