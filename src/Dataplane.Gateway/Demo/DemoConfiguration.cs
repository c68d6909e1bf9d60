using System.Collections.Immutable;
using System.Globalization;
using System.Text;
using static Dataplane.Gateway.Demo.DemoPlan;

namespace Dataplane.Gateway.Demo;

/// <summary>The gateway's configuration at one moment of the demo, and the file that says so.</summary>
/// <param name="Backends">Numbers of the backends that the services are given.</param>
/// <param name="IsGuestDenied">Whether the second address of the client is denied.</param>
internal sealed record DemoConfiguration(ImmutableArray<int> Backends, bool IsGuestDenied)
{
    public static DemoConfiguration First { get; } = new([.. Enumerable.Range(0, FirstBackends)], IsGuestDenied: false);

    /// <summary>The share of new flows that a backend is to have, 0 to 1.</summary>
    public double TargetShare(int backend) => Backends.Contains(backend) ? (double)Weight(backend) / Backends.Sum(Weight) : 0;

    /// <summary>The file for AF_PACKET ports on the interfaces wan and lan; neighbours are asked for, as in life.</summary>
    public string ToYaml()
    {
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $$"""
            # The demo's gateway. It is rewritten while the gateway runs, which reloads it without losing a packet.
            ports:
              {{Wan}}: { kind: af_packet, interface: {{Wan}} }
              {{Lan}}: { kind: af_packet, interface: {{Lan}} }
            interfaces:
              - { port: {{Wan}}, address: {{GatewayOnWan}}/24, mac: "{{WanMac}}" }
              - { port: {{Wan}}, address: "{{GatewayOnWan6}}/64", mac: "{{WanMac}}" }
              - { port: {{Lan}}, address: {{GatewayOnLan}}/24, mac: "{{LanMac}}" }
              - { port: {{Lan}}, address: "{{GatewayOnLan6}}/64", mac: "{{LanMac}}" }
            filter:
              default: allow
              rules:
                - { name: no-ssh, action: deny, protocol: tcp, to_port: 22 }

            """);
        if (IsGuestDenied)
        {
            text.Append(CultureInfo.InvariantCulture, $"    - {{ name: {GuestRule}, action: deny, from: {Guest}/32 }}\n");
        }

        text.Append("services:\n");
        AppendService(text, "web", Service, WebPort, "tcp", Address);
        AppendService(text, "web6", Service6, WebPort, "tcp", Address6);
        AppendService(text, "echo", Service, EchoPort, "udp", Address);
        AppendService(text, "echo6", Service6, EchoPort, "udp", Address6);

        // A fixed seed: what explain says of a packet is what the gateway does with it.
        return text.Append("workers: { seed: 42, flow_entries: 65536 }\n").ToString();
    }

    private void AppendService(StringBuilder text, string name, string address, int port, string protocol, Func<int, string> backendAddress)
    {
        text.Append(CultureInfo.InvariantCulture, $"  - name: {name}\n    address: \"{address}\"\n    port: {port}\n    protocol: {protocol}\n    balance: maglev\n    backends:\n");
        foreach (int backend in Backends)
        {
            text.Append(CultureInfo.InvariantCulture, $"      - {{ address: \"{backendAddress(backend)}\", port: {port}, weight: {Weight(backend)} }}\n");
        }
    }
}
