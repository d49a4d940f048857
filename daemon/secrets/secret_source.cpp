// Only a file can change while the process runs. What systemd or the environment gave at the start is what it
// is until the next one, so it is looked at again only for as long as it could not be read.
#include "daemon/secrets/secret_source.hpp"

#include <stdlib.h>

#include <utility>

#include "daemon/secrets/file_secret.hpp"
#include "daemon/secrets/secret_text.hpp"

namespace grantd::daemon {

namespace {

using common::ErrorCode;
using SharedSecret = std::shared_ptr<const common::Secret>;

class InlineSecret final : public SecretSource {
 public:
  explicit InlineSecret(SharedSecret secret) : secret_(std::move(secret)) {}
  common::Result<SharedSecret> read() override {
    if (secret_ && !secret_->empty()) return secret_;
    return common::fail(ErrorCode::client_unavailable,
                        "client_secret is empty; set it to the client's secret");
  }
  bool changed() const override { return false; }

 private:
  const SharedSecret secret_;
};

class EnvironmentSecret final : public SecretSource {
 public:
  EnvironmentSecret(std::string variable, std::string_view key) : variable_(std::move(variable)), key_(key) {}

  common::Result<SharedSecret> read() override {
    if (secret_) return secret_;
    const char* const value = ::secure_getenv(variable_.c_str());
    if (value == nullptr) return unavailable("is not set");
    auto secret = secret_from(value);
    if (!secret) return unavailable(secret.error());
    secret_ = std::make_shared<const common::Secret>(std::move(*secret));
    return secret_;
  }
  bool changed() const override { return !secret_; }

 private:
  std::unexpected<common::Error> unavailable(std::string_view why) const {
    return common::fail(ErrorCode::client_unavailable, "the environment variable " + variable_ + " that " +
                                                           key_ + "_env names " + std::string{why} +
                                                           "; set it and start the daemon again");
  }

  const std::string variable_;
  const std::string key_;
  SharedSecret secret_;
};

class CredentialSecret final : public SecretSource {
 public:
  CredentialSecret(std::string name, std::string client, common::Logger& log)
      : name_(std::move(name)), client_(std::move(client)), log_(log) {}

  common::Result<SharedSecret> read() override {
    if (secret_) return secret_;
    const char* const directory = ::secure_getenv("CREDENTIALS_DIRECTORY");
    if (directory == nullptr || *directory == '\0') {
      return common::fail(ErrorCode::client_unavailable,
                          "$CREDENTIALS_DIRECTORY is not set, so there is no credential " + name_ +
                              "; start the daemon as a systemd service that has it with LoadCredential=");
    }
    FileSecret file{std::filesystem::path{directory} / name_, client_,
                    "give the service the credential " + name_ + " with LoadCredential= and restart it",
                    log_};
    auto secret = file.read();
    if (secret) secret_ = *secret;
    return secret;
  }
  bool changed() const override { return !secret_; }

 private:
  const std::string name_;
  const std::string client_;
  common::Logger& log_;
  SharedSecret secret_;
};

}  // namespace

std::shared_ptr<SecretSource> make_secret_source(const config::SecretSource& source, SecretPurpose purpose,
                                                 common::Logger& log) {
  struct Make {
    SecretPurpose purpose;
    common::Logger& log;
    std::shared_ptr<SecretSource> operator()(const config::FileSource& file) {
      std::string remedy =
          "make it readable for the daemon, or correct " + std::string{purpose.key} + "_file";
      return std::make_shared<FileSecret>(file.path, std::move(purpose.client), std::move(remedy), log);
    }
    std::shared_ptr<SecretSource> operator()(const config::CredentialSource& credential) {
      return std::make_shared<CredentialSecret>(credential.name, std::move(purpose.client), log);
    }
    std::shared_ptr<SecretSource> operator()(const config::EnvironmentSource& environment) {
      return std::make_shared<EnvironmentSecret>(environment.variable, purpose.key);
    }
    std::shared_ptr<SecretSource> operator()(const config::InlineSource& given) {
      return std::make_shared<InlineSecret>(given.value);
    }
  };
  return std::visit(Make{std::move(purpose), log}, source);
}

}  // namespace grantd::daemon
