using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;
using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Telemetry;
using Dataplane.Tests.Reference;

namespace Dataplane.Tests.Pipeline;

/// <summary>The frames of tcpdump's, Open vSwitch's and smoltcp's tests: through the whole pipeline, and parsed as their own tests say.</summary>
public sealed partial class SharedFramesTests
{
    private const string Tcpdump = "tcpdump/packets.json", Ovs = "ovs/flow_extract.json", OvsFrames = "ovs/frames.json", OvsTunnels = "ovs/tunnel_pop.json",
        Smoltcp = "smoltcp/vectors.json";

    private const string V4Header = @"proto (?:TCP \(6\)|UDP \(17\)), length \d+[^)\n]*\)\s+";
    private const string V6Header = @"next-header (?:TCP \(6\)|UDP \(17\)) payload length: \d+\) ";

    [SharedCasesFact(Tcpdump)]
    public Task Pipeline_TcpdumpFrames_AccountsForAll() => RunAsync(FramesOf(Tcpdump), atLeast: 2000);

    [SharedCasesFact(Ovs)]
    public Task Pipeline_OvsFlowFrames_AccountsForAll() => RunAsync(FramesOf(Ovs), atLeast: 200);

    [SharedCasesFact(OvsFrames)]
    public Task Pipeline_OvsFrames_AccountsForAll() => RunAsync([.. FramesOf(OvsFrames), .. FramesOf(OvsTunnels)], atLeast: 120);

    [SharedCasesFact(Smoltcp)]
    public Task Pipeline_SmoltcpVectors_AccountsForAll() => RunAsync(FramesOf(Smoltcp), atLeast: 50);

    [SharedCasesFact(Ovs)]
    public void Parse_OvsFlowFrames_GivesTheirKeys()
    {
        using JsonDocument cases = SharedCases.Read(Ovs);
        int checkedFrames = 0;
        foreach (JsonElement entry in cases.RootElement.GetProperty("cases").EnumerateArray())
        {
            string hex = entry.GetProperty("frame").GetString()!;
            JsonElement expected = entry.GetProperty("expect");
            ParsedPacket parsed = ParsedPacket.Parse(Convert.FromHexString(hex));
            string type = $"0x{parsed.EtherType:x4}";
            Assert.True(expected.GetProperty("eth_src").GetString() == parsed.SourceMac?.ToString() && expected.GetProperty("eth_dst")
                .GetString() == parsed.DestinationMac?.ToString()
                && expected.GetProperty("eth_type").GetString() == type, $"link: {hex}");
            JsonElement vlan = expected.GetProperty("vlan_vid");
            Assert.True(vlan.ValueKind == JsonValueKind.Null ? parsed.VlanIds.Count == 0 : parsed.VlanIds[0] == vlan.GetInt32(), $"vlan: {hex}");
            Assert.Equal((expected.GetProperty("ip_src").GetString(), expected.GetProperty("ip_dst").GetString(), expected.GetProperty("ip_proto").GetInt32(),
                expected.GetProperty("ip_tos").GetInt32()),
                (parsed.Source?.ToString() ?? "0.0.0.0", parsed.Destination?.ToString() ?? "0.0.0.0", parsed.Protocol ?? 0, parsed.Tos ?? 0));
            Assert.Equal((expected.GetProperty("l4_src").GetInt32(), expected.GetProperty("l4_dst").GetInt32()),
                (parsed.SourcePort ?? parsed.IcmpType ?? 0, parsed.DestinationPort ?? parsed.IcmpCode ?? 0));
            checkedFrames++;
        }

        Assert.True(checkedFrames > 200, $"only {checkedFrames} frames");
    }

    [SharedCasesFact(Tcpdump)]
    public void Parse_TcpdumpFrames_GivesTheAddressesAndPortsItPrints()
    {
        using JsonDocument cases = SharedCases.Read(Tcpdump);
        int compared = 0, refused = 0;
        foreach (JsonElement entry in cases.RootElement.GetProperty("packets").EnumerateArray())
        {
            string text = entry.GetProperty("tcpdump").GetString() ?? "";
            Match match = Conversation().Match(text);
            if (entry.GetProperty("class").GetString() != "valid" || !match.Success)
            {
                continue;
            }

            byte[] frame = WithLink(Convert.FromHexString(entry.GetProperty("frame").GetString()!), entry.GetProperty("link").GetInt32());
            ParsedPacket parsed = ParsedPacket.Parse(frame);
            if (parsed.Error != DropReason.None || parsed.SourcePort is null)
            {
                // Cut off by the capture, a wrong checksum, or a tunnel whose inner packet it printed.
                refused++;
                continue;
            }

            var printed = (IpAddress.Parse(match.Groups["from"].Value).ToString(), match.Groups["fromPort"].Value,
                IpAddress.Parse(match.Groups["to"].Value).ToString(), match.Groups["toPort"].Value);
            string Port(ushort? port) => port!.Value.ToString(CultureInfo.InvariantCulture);
            (string, string, string, string) found =
                (parsed.Source.ToString()!, Port(parsed.SourcePort), parsed.Destination.ToString()!, Port(parsed.DestinationPort));
            Assert.True(printed == found, $"{entry.GetProperty("file").GetString()} {entry.GetProperty("n").GetInt32()}: {printed} printed, {found} parsed");
            compared++;
        }

        Assert.True(compared > 500 && refused < compared / 4, $"{compared} compared, {refused} not parsed");
    }

    /// <summary>The first conversation that tcpdump prints, when the outermost packet is TCP or UDP.</summary>
    [GeneratedRegex(@"^[^\n]*?(?:" + V4Header + "|" + V6Header + @")(?<from>[0-9a-f.:]+)\.(?<fromPort>\d+) > (?<to>[0-9a-f.:]+)\.(?<toPort>\d+):")]
    private static partial Regex Conversation();

    private static async Task RunAsync(List<byte[]> frames, int atLeast)
    {
        Assert.True(frames.Count >= atLeast, $"only {frames.Count} frames");
        await using TestPlane plane = TestPlane.Create(builder => builder.Route("0.0.0.0/0", "10.1.0.11").Route("::/0", "2001:db8:2::11")
            .Service("dns4", "203.0.113.80", 53, service => service.Udp().Backend("10.1.0.12", 53)));
        foreach (byte[] frame in frames)
        {
            foreach (string port in new[] { "wan", "lan" })
            {
                Check(plane, port, frame);
                if (frame.Length >= 14)
                {
                    // As it is, most are for other stations; for this one they get further.
                    byte[] forUs = [.. frame];
                    (port == "wan" ? TestPlane.WanMac : TestPlane.LanMac).Write(forUs);
                    Check(plane, port, forUs);
                }
            }
        }

        Assert.True(plane.Engine.ReadAccounting().Received > frames.Count, "nothing was received");
    }

    private static void Check(TestPlane plane, string port, byte[] frame)
    {
        if (frame.Length > plane[port].MaxFrameBytes)
        {
            return;
        }

        // Run checks the accounting.
        foreach ((string _, byte[] sent) in plane.Send(port, frame))
        {
            ReferencePacket packet = ReferenceDecoder.Decode(sent);
            Assert.True(packet.HeaderChecksumRight != false && !packet.IsTruncated, $"{Convert.ToHexString(frame)} became {Convert.ToHexString(sent)}");
            Assert.True(ReferenceDecoder.Decode(frame).TransportChecksumRight != true || packet.TransportChecksumRight != false,
                $"{Convert.ToHexString(frame)} became {Convert.ToHexString(sent)}");
        }
    }

    private static List<byte[]> FramesOf(string file)
    {
        using JsonDocument cases = SharedCases.Read(file);
        var frames = new List<byte[]>();
        Collect(cases.RootElement, frames);
        return frames;
    }

    /// <summary>Every "frame" and "hex" of a file, bare IP packets with an Ethernet header before them.</summary>
    private static void Collect(JsonElement element, List<byte[]> frames)
    {
        if (element.ValueKind == JsonValueKind.Array)
        {
            foreach (JsonElement item in element.EnumerateArray())
            {
                Collect(item, frames);
            }
        }
        else if (element.ValueKind == JsonValueKind.Object)
        {
            int link = element.TryGetProperty("link", out JsonElement type) && type.ValueKind == JsonValueKind.Number ? type.GetInt32() : 1;
            foreach (JsonProperty property in element.EnumerateObject())
            {
                if (property.Name is "frame" or "hex" && property.Value.ValueKind == JsonValueKind.String)
                {
                    byte[] bytes = Convert.FromHexString(property.Value.GetString()!);
                    frames.Add(WithLink(bytes, link));
                    if (property.Name == "hex")
                    {
                        frames.Add(WithLink(bytes, 101));
                    }
                }
                else
                {
                    Collect(property.Value, frames);
                }
            }
        }
    }

    private static byte[] WithLink(byte[] bytes, int link)
    {
        if (link == 1)
        {
            return bytes;
        }

        bool v6 = bytes.Length > 0 && bytes[0] >> 4 == 6;
        return [2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 1, 1, (byte)(v6 ? 0x86 : 0x08), (byte)(v6 ? 0xDD : 0), .. bytes];
    }
}
