#include "daemon/oauth/client_authentication.hpp"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "daemon/crypto/base64url.hpp"
#include "daemon/oauth/client_assertion_file.hpp"
#include "daemon/oauth/client_secret_basic.hpp"
#include "daemon/oauth/client_secret_jwt.hpp"
#include "daemon/oauth/client_secret_post.hpp"
#include "daemon/oauth/private_key_jwt.hpp"
#include "tests/fakes/fixed_entropy.hpp"
#include "tests/fakes/log_recorder.hpp"
#include "tests/unit/oauth/new_year.hpp"
#include "tests/unit/oauth/settable_secret.hpp"

namespace grantd::tests {
namespace {

using nlohmann::json;

// RFC 8037 appendix A.1.
constexpr const char* key_jwk =
    R"({"kty":"OKP","crv":"Ed25519","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",)"
    R"("x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","kid":"mine"})";

std::shared_ptr<config::ClientSettings> settings() {
  auto client = std::make_shared<config::ClientSettings>();
  client->name = "a";
  client->client_id = "worker";
  return client;
}

/// What one proof put into the form and the header, and what it holds for confidential.
struct Proven {
  std::string form;
  std::string authorization;
  std::vector<std::string> confidential;
  std::string error;

  std::string member(const std::string& name) const {
    const auto at = form.find(name + "=");
    if (at == std::string::npos) return {};
    const auto begin = at + name.size() + 1;
    return form.substr(begin, form.find('&', begin) - begin);
  }
  json part(std::size_t which) const {
    std::string jwt = member("client_assertion");
    for (; which > 0; --which) jwt.erase(0, jwt.find('.') + 1);
    const auto bytes = daemon::base64url_decode(jwt.substr(0, jwt.find('.')));
    return json::parse(bytes->reveal());
  }
};

struct Occasions {
  FixedEntropy entropy;

  Proven prove(daemon::ClientAuthentication& authentication, std::size_t alternative = 0) {
    daemon::FormBody form;
    const auto proof = authentication.prove(form, {.audience = "https://as.example/token",
                                                   .now = new_year,
                                                   .entropy = entropy,
                                                   .alternative = alternative});
    Proven proven;
    proven.form = form.take().reveal();
    if (!proof) {
      proven.error = proof.error().detail;
      return proven;
    }
    proven.authorization = proof->authorization.reveal();
    for (const auto& secret : proof->confidential) proven.confidential.emplace_back(secret.reveal());
    return proven;
  }
};

bool has(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

TEST_CASE("client_secret_basic: the secret goes into the header alone") {
  Occasions occasions;
  daemon::ClientSecretBasic basic{settings(), std::make_shared<SettableSecret>("s3cret"), nullptr};
  const auto proven = occasions.prove(basic);
  CHECK(proven.form.empty());
  CHECK(proven.authorization == "Basic d29ya2VyOnMzY3JldA==");
  CHECK(proven.confidential == std::vector<std::string>{"s3cret", "s3cret", "d29ya2VyOnMzY3JldA=="});
}

TEST_CASE("client_secret_post: id and secret go into the form and nowhere else") {
  Occasions occasions;
  auto client = settings();
  client->client_id = "a b";
  daemon::ClientSecretPost post{client, std::make_shared<SettableSecret>("s+&=%"), nullptr};
  const auto proven = occasions.prove(post);
  CHECK(proven.form == "client_id=a+b&client_secret=s%2B%26%3D%25");
  CHECK(proven.authorization.empty());
}

TEST_CASE("client secrets: the other one is offered second, and first once it was accepted") {
  Occasions occasions;
  auto next = std::make_shared<SettableSecret>("next");
  daemon::ClientSecretPost post{settings(), std::make_shared<SettableSecret>("first"), next};
  CHECK(post.alternatives() == 2);
  CHECK(has(occasions.prove(post, 0).form, "client_secret=first"));
  CHECK(has(occasions.prove(post, 1).form, "client_secret=next"));
  post.accepted(1);
  CHECK(has(occasions.prove(post, 0).form, "client_secret=next"));
  CHECK(has(occasions.prove(post, 1).form, "client_secret=first"));
  post.accepted(0);
  CHECK(has(occasions.prove(post, 0).form, "client_secret=next"));
  CHECK_FALSE(post.changed());
  next->is_changed = true;
  CHECK(post.changed());
}

TEST_CASE("client_secret_jwt: an assertion of the client about itself, signed with the secret") {
  Occasions occasions;
  const auto secret = std::make_shared<SettableSecret>("0123456789abcdef0123456789abcdef");
  daemon::ClientSecretJwt jwt{settings(), secret, nullptr};
  const auto proven = occasions.prove(jwt);
  CHECK(proven.member("client_id") == "worker");
  CHECK(proven.member("client_assertion_type") ==
        "urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer");
  CHECK(proven.part(0) == json{{"alg", "HS256"}, {"typ", "JWT"}});
  const json claims = proven.part(1);
  CHECK(claims["iss"] == "worker");
  CHECK(claims["sub"] == "worker");
  CHECK(claims["aud"] == "https://as.example/token");
  CHECK(claims["iat"] == 1767225600);
  CHECK(claims["exp"] == 1767225900);
  CHECK(claims["jti"].get<std::string>().size() == 22);
  CHECK(std::ranges::find(proven.confidential, proven.member("client_assertion")) !=
        proven.confidential.end());

  secret->text = "short";
  CHECK(has(occasions.prove(jwt).error, "shorter than the 32 bytes"));
}

TEST_CASE("private_key_jwt: the header names algorithm, key and certificate as configured") {
  Occasions occasions;
  LogRecorder log;
  auto client = settings();
  const auto key = std::make_shared<SettableSecret>(key_jwk);
  daemon::PrivateKeyJwt plain{client, {.key = key}, log};
  CHECK(occasions.prove(plain).part(0) == json{{"alg", "EdDSA"}, {"typ", "JWT"}, {"kid", "mine"}});
  client->private_key_id = "thumbprint";
  daemon::PrivateKeyJwt thumbprint{client, {.key = key}, log};
  CHECK(occasions.prove(thumbprint).part(0)["kid"] == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
  client->private_key_id = "yours";
  daemon::PrivateKeyJwt named{client, {.key = key}, log};
  CHECK(occasions.prove(named).part(0)["kid"] == "yours");
  daemon::PrivateKeyJwt with_certificate{
      client, {.key = key, .certificate = std::make_shared<SettableSecret>("no certificate")}, log};
  CHECK(has(occasions.prove(with_certificate).error, "certificate_file is no certificate"));
}

TEST_CASE("private_key_jwt: a key that does not suit the algorithm is an error with both names") {
  Occasions occasions;
  LogRecorder log;
  auto client = settings();
  client->signing_alg = config::SigningAlgorithm::ES256;
  daemon::PrivateKeyJwt jwt{client, {.key = std::make_shared<SettableSecret>(key_jwk)}, log};
  CHECK(has(occasions.prove(jwt).error, "Edwards curve key, which does not sign with ES256"));
}

TEST_CASE(
    "private_key_jwt: a changed key is used at once, a broken one does not replace the last that worked") {
  Occasions occasions;
  LogRecorder log;
  const auto key = std::make_shared<SettableSecret>(key_jwk);
  daemon::PrivateKeyJwt jwt{settings(), {.key = key}, log};
  CHECK(occasions.prove(jwt).error.empty());
  std::string renamed{key_jwk};
  renamed.replace(renamed.find("mine"), 4, "next");
  key->text = renamed;
  key->is_changed = true;
  CHECK(occasions.prove(jwt).part(0)["kid"] == "next");
  key->text = "half of a key";
  CHECK(occasions.prove(jwt).part(0)["kid"] == "next");
  CHECK(occasions.prove(jwt).part(0)["kid"] == "next");
  CHECK(log.count("private_key_not_reread") == 1);
}

TEST_CASE("client_assertion_file: what stands in it is sent as it is then") {
  Occasions occasions;
  auto client = settings();
  client->client_assertion_file = "/var/run/token";
  const auto file = std::make_shared<SettableSecret>("eyJ.e30.c2ln");
  daemon::ClientAssertionFile assertion{client, file};
  CHECK(occasions.prove(assertion).member("client_assertion") == "eyJ.e30.c2ln");
  file->text = "eyJ.e30.bmV4dA";
  CHECK(occasions.prove(assertion).member("client_assertion") == "eyJ.e30.bmV4dA");
  file->text = "two\nlines";
  CHECK(has(occasions.prove(assertion).error, "something else than one JWT"));
}

TEST_CASE("client authentication: two pairs of secrets are told apart wherever one ends") {
  const auto identity = [](std::string first, std::string next) {
    return std::string{daemon::ClientSecretBasic{settings(),
                                                 std::make_shared<SettableSecret>(std::move(first)),
                                                 std::make_shared<SettableSecret>(std::move(next))}
                           .identity()
                           ->reveal()};
  };
  for (const std::string between : {"\n", ":"})
    CHECK(identity("a" + between + "b", "c") != identity("a", "b" + between + "c"));
  CHECK(identity("a", "b") == identity("a", "b"));
}

}  // namespace
}  // namespace grantd::tests
