// A typed client: business code sees products, not HTTP, and neither knows of tokens.
#include <cstdio>
#include <grantd/client.hpp>
#include <nlohmann/json.hpp>
#include <stdexcept>

class CatalogClient {
 public:
  explicit CatalogClient(grantd::HttpClient http) : http_(std::move(http)) {}

  std::vector<std::string> products() const {
    const grantd::Response response = http_.get("products");
    if (response.status != 200)
      throw std::runtime_error("the catalog answered " + std::to_string(response.status));
    return nlohmann::json::parse(response.body).at("products").get<std::vector<std::string>>();
  }

 private:
  grantd::HttpClient http_;
};

int main() {
  try {
    grantd::Client client;
    const CatalogClient catalog{client.http("catalog")};
    std::printf("typed client worker:");
    for (const std::string& product : catalog.products()) std::printf(" %s", product.c_str());
    std::printf("\n");
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "typed client worker: %s\n", error.what());
    return 1;
  }
}
