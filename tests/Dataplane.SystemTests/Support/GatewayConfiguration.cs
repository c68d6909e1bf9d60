using System.Globalization;
using System.Text;

namespace Dataplane.SystemTests.Support;

/// <summary>The gateway's file as a test wants it.</summary>
internal sealed record GatewayConfiguration
{
    public const string Service = "198.51.100.10";
    public const string Service6 = "2001:db8:1::10";
    public const int EchoPort = 7;

    /// <summary>Weight of each backend; zero takes it out of the list.</summary>
    public int[] Weights { get; init; } = [2, 1, 1];

    /// <summary>Kind of both ports.</summary>
    public string Kind { get; init; } = "af_packet";

    /// <summary>Whether checksums may leave unfinished; not where a capture compares them.</summary>
    public bool Offload { get; init; } = true;

    /// <summary>How many workers; wan is the first one's, lan the second's.</summary>
    public int Workers { get; init; } = 1;

    public int WanMtu { get; init; } = 1500;

    public int LanMtu { get; init; } = 1500;

    /// <summary>What happens to packets that no rule matches.</summary>
    public string FilterDefault { get; init; } = "allow";

    /// <summary>Rules in order, each as the file has it.</summary>
    public string[] Rules { get; init; } = [];

    /// <summary>Rules of source translation, each as the file has it.</summary>
    public string[] Nat { get; init; } = [];

    /// <summary>How the health of the web servers is found out, as the file has it; empty: not at all.</summary>
    public string Health { get; init; } = "";

    /// <summary>How packets reach the web servers.</summary>
    public string Forward { get; init; } = "nat";

    /// <summary>Whether the web servers' addresses are of the other family than the service's.</summary>
    public bool IsMixed { get; init; }

    /// <summary>How the web servers are chosen; empty: as when left out.</summary>
    public string Balance { get; init; } = "";

    /// <summary>More sections, as the file has them.</summary>
    public string More { get; init; } = "";

    /// <summary>Backend that is being drained.</summary>
    public int? Drained { get; init; }

    public string ToYaml()
    {
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $$"""
            ports:
              wan: { kind: {{Kind}}, interface: wan, mac: "{{TestNetwork.WanMac}}", mtu: {{WanMtu}}{{(Offload ? "" : ", offload: off")}} }
              lan: { kind: {{Kind}}, interface: lan, mac: "{{TestNetwork.LanMac}}", mtu: {{LanMtu}}{{(Offload ? "" : ", offload: off")}} }
            interfaces:
              - { port: wan, address: {{TestNetwork.GatewayOnWan}}/24 }
              - { port: wan, address: "{{TestNetwork.GatewayOnWan6}}/64" }
              - { port: lan, address: {{TestNetwork.GatewayOnLan}}/24 }
              - { port: lan, address: "{{TestNetwork.GatewayOnLan6}}/64" }
            filter:
              default: {{FilterDefault}}

            """);
        if (Rules.Length > 0)
            text.Append("  rules:\n").Append(string.Concat(Rules.Select(rule => $"    - {{ {rule} }}\n")));
        if (Nat.Length > 0)
            text.Append("nat:\n").Append(string.Concat(Nat.Select(rule => $"  - {{ {rule} }}\n")));
        text.Append("services:\n");
        Append(text, "web", Service, 80, "tcp", IsMixed ? TestNetwork.Address6 : TestNetwork.Address);
        Append(text, "web6", Service6, 80, "tcp", IsMixed ? TestNetwork.Address : TestNetwork.Address6);
        Append(text, "echo", Service, EchoPort, "udp", TestNetwork.Address);
        Append(text, "echo6", Service6, EchoPort, "udp", TestNetwork.Address6);
        text.Append(More);
        return text.Append(CultureInfo.InvariantCulture, $"workers: {{ count: {Workers}, seed: 42, flow_entries: 65536 }}\n").ToString();
    }

    private void Append(StringBuilder text, string name, string address, int port, string protocol, Func<int, string> backendAddress)
    {
        text.Append(CultureInfo.InvariantCulture, $"  - name: {name}\n    address: \"{address}\"\n    port: {port}\n    protocol: {protocol}\n");
        if (Forward != "nat" && port == 80)
            text.Append(CultureInfo.InvariantCulture, $"    forward: {Forward}\n");
        if (Balance.Length > 0 && port == 80)
            text.Append(CultureInfo.InvariantCulture, $"    balance: {Balance}\n");
        if (Health.Length > 0 && name == "web")
            text.Append(CultureInfo.InvariantCulture, $"    health: {{ {Health} }}\n");
        text.Append("    backends:\n");
        for (int backend = 0; backend < Weights.Length; backend++)
        {
            if (Weights[backend] > 0)
                text.Append(CultureInfo.InvariantCulture, $"      - {{ address: \"{backendAddress(backend)}\", port: {port}, weight: {Weights[backend]}{(Drained == backend ? ", drain: true" : "")} }}\n");
        }
    }
}
