#pragma once

#include <map>
#include <memory>
#include <string>

#include "config/node.hpp"
#include "config/problems.hpp"
#include "config/settings.hpp"

/// The tables of the schema. Every function reads what it can and adds a problem for everything that is
/// wrong; where there was one, what it returns is of no use but to go on reading.
namespace grantd::config {

using Clients = std::map<std::string, std::shared_ptr<const ClientSettings>, std::less<>>;
using Apis = std::map<std::string, std::shared_ptr<const ApiSettings>, std::less<>>;

DaemonSettings read_daemon(const Node& table, Problems& problems);

/// A client as it is before anything of its own is read: what `[defaults]` says.
ClientSettings read_defaults(const Node& table, Problems& problems);

Clients read_clients(const Node& table, const ClientSettings& defaults, Problems& problems);

/// `clients` is the table `[clients]`, null where there is none. Without `complete`, some file could not be
/// read, and a client that is missing may be in it.
Apis read_apis(const Node& table, const Node* clients, bool complete, Problems& problems);

CacheSettings read_cache(const Node& table, Problems& problems);

}  // namespace grantd::config
