using System.Globalization;
using Dataplane.Gateway.Commands;
using Dataplane.Gateway.Demo.Memory;
using Dataplane.Hosting.Configuration;
using Dataplane.Packets;
using Dataplane.Routing;
using Dataplane.Telemetry;
using static Dataplane.Gateway.Demo.DemoPlan;

namespace Dataplane.Gateway.Demo;

/// <summary>Explains packets of the demo by an engine of the same configuration and seed, as <c>dataplane explain</c> does.</summary>
internal static class DemoExplainer
{
    /// <summary>The configuration with the neighbours known beforehand that the gateway learns by asking.</summary>
    public static DataplaneSpec SpecWithNeighbours(DemoConfiguration configuration) =>
        ConfigurationFile.Parse(configuration.ToYaml(), "gateway.yaml").GetSpec() with
        {
            Neighbours =
            [
                Neighbour(Wan, Client, ClientMac),
                Neighbour(Wan, Client6, ClientMac),
                Neighbour(Wan, Guest, ClientMac),
                .. Enumerable.Range(0, AllBackends).SelectMany(backend => new[]
                {
                    Neighbour(Lan, Address(backend), Mac(backend)),
                    Neighbour(Lan, Address6(backend), Mac(backend)),
                }),
            ],
        };

    /// <summary>Explains the first packet of a connection to the web service.</summary>
    public static async Task<Explanation> ExplainAsync(DemoConfiguration configuration, string from, ushort fromPort)
    {
        await using DataplaneEngine engine = OfflineEngine.Start(SpecWithNeighbours(configuration));
        return engine.Explain(ConnectFrame(from, fromPort), Wan);
    }

    /// <summary>A client port whose connections a backend is given, and the backend they are given under another configuration.</summary>
    public static async Task<(ushort Port, string? Then)> FindMovedAsync(DemoConfiguration before, DemoConfiguration after, int backend)
    {
        await using DataplaneEngine old = OfflineEngine.Start(SpecWithNeighbours(before)), now = OfflineEngine.Start(SpecWithNeighbours(after));
        ushort port = 40_001;
        while (port < 41_000 && BackendOf(old.Explain(ConnectFrame(Client, port), Wan)) != backend)
        {
            port++;
        }

        return (port, BackendOf(now.Explain(ConnectFrame(Client, port), Wan)) is int moved ? Name(moved) : null);
    }

    /// <summary>The SYN that the client sends to open a connection.</summary>
    private static byte[] ConnectFrame(string from, ushort fromPort)
    {
        var segment = new Segment
        {
            Source = IpAddress.Parse(from),
            Destination = IpAddress.Parse(Service),
            SourcePort = fromPort,
            DestinationPort = WebPort,
            Protocol = FrameTemplate.Tcp,
            Sequence = 1,
            Flags = FrameTemplate.Syn,
        };
        byte[] frame = new byte[FrameTemplate.LargestHeaderBytes];
        int length = FrameTemplate.Write(frame, MacAddress.Parse(ClientMac), MacAddress.Parse(WanMac), in segment, default);
        return frame[..length];
    }

    /// <summary>The backend that the packet leaves to; null when it does not leave to one.</summary>
    private static int? BackendOf(Explanation explanation)
    {
        string? to = explanation.Output.IsEmpty ? null : ParsedPacket.Parse(explanation.Output.Span).Destination?.ToString();
        int backend = Enumerable.Range(0, AllBackends).FirstOrDefault(candidate => Address(candidate) == to, -1);
        return backend >= 0 ? backend : null;
    }

    private static NeighbourSpec Neighbour(string port, string address, string mac) => new()
    {
        Port = port,
        Address = IpAddress.Parse(address),
        Mac = MacAddress.Parse(mac),
    };
}
