// Published trimmed into one file: the engine built by the builder and from YAML and JSON texts forwards IPv4 and IPv6 as everywhere else.

using Dataplane;
using Dataplane.Consumer.Shared;
using Dataplane.Hosting.Configuration;

const string Json = """
    {
      "interfaces": [
        { "port": "wan", "address": "198.51.100.1/24" }, { "port": "wan", "address": "2001:db8:1::1/64" },
        { "port": "lan", "address": "10.1.0.1/24" }, { "port": "lan", "address": "2001:db8:2::1/64" }
      ],
      "neighbours": [
        { "port": "wan", "address": "198.51.100.9", "mac": "02:00:00:00:00:09" },
        { "port": "lan", "address": "10.1.0.7", "mac": "02:00:00:00:00:07" }, { "port": "lan", "address": "2001:db8:2::7", "mac": "02:00:00:00:00:07" }
      ],
      "routes": [ { "to": "0.0.0.0/0", "via": "10.1.0.7" }, { "to": "::/0", "via": "2001:db8:2::7" } ],
      "filter": { "default": "allow", "rules": [ { "name": "no-guest", "action": "deny", "from": "198.51.100.66/32" } ] },
      "services": [
        { "name": "dns", "address": "203.0.113.53", "port": 53, "protocol": "udp", "backends": [ { "address": "10.1.0.7", "port": 5353 } ] },
        { "name": "dns6", "address": "2001:db8:53::53", "port": 53, "protocol": "udp", "backends": [ { "address": "2001:db8:2::7", "port": 5353 } ] }
      ]
    }
    """;

(string How, Func<Traffic, DataplaneEngine> Build)[] ways =
[
    ("builder", traffic => traffic.Configure(new DataplaneBuilder()).Build()),
    ("YAML", traffic => FromText(traffic, Traffic.Yaml, "gateway.yaml")),
    ("JSON", traffic => FromText(traffic, Json, "gateway.json")),
];
List<string> faults = [];
foreach ((string how, Func<Traffic, DataplaneEngine> build) in ways)
{
    var traffic = new Traffic();
    await using DataplaneEngine engine = build(traffic);
    await engine.StartAsync();
    faults.AddRange(traffic.Send().Select(fault => $"{how}: {fault}"));
    await engine.StopAsync();
    faults.AddRange(traffic.Check(engine.ReadAccounting()).Select(fault => $"{how}: {fault}"));
}

Console.WriteLine(faults.Count == 0 ? $"IPv4 and IPv6 forwarded by {string.Join(", ", ways.Select(way => way.How))}" : string.Join("; ", faults));
return faults.Count == 0 ? 0 : 1;

static DataplaneEngine FromText(Traffic traffic, string text, string name) =>
    new(ConfigurationFile.Parse(text, name, spec => traffic.AddPorts(new DataplaneBuilder(spec)).ToSpec()).GetSpec());
