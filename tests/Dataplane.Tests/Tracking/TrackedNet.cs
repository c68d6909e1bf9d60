using Dataplane.Filtering;
using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Telemetry;
using Dataplane.Tests.Pipeline;
using Dataplane.Tracking;

namespace Dataplane.Tests.Tracking;

/// <summary>A host inside behind "lan", one outside behind "wan", in one family, and the packets of one connection between them.</summary>
internal sealed class TrackedNet
{
    public const ushort InsidePort = 40000, OutsidePort = 443;

    private TrackedNet(string inside, string outside) => (Inside, Outside) = (IpAddress.Parse(inside), IpAddress.Parse(outside));

    public IpAddress Inside { get; }

    public IpAddress Outside { get; }

    public static TrackedNet Of(int family) => family == 4 ? new("10.1.0.11", "198.51.100.2") : new("2001:db8:2::11", "2001:db8:1::2");

    /// <summary>Deny by default; what is known passes; the inside may begin anything, the outside echo to the inside only.</summary>
    public static DataplaneBuilder StatefulRules(DataplaneBuilder builder) => builder.Filter(filter => filter
        .Allow(state: ConnectionStates.Established | ConnectionStates.Related, name: "known")
        .Allow(state: ConnectionStates.New, port: "lan", name: "out")
        .Deny(state: ConnectionStates.Invalid, name: "invalid")
        .DefaultDeny());

    public static TestPlane Create(Action<DataplaneBuilder>? more = null) => TestPlane.Create(builder =>
    {
        StatefulRules(builder);
        more?.Invoke(builder);
    });

    public PacketBuilder FromInside(byte ttl = 64) => PacketBuilder.Ethernet(TestPlane.ServerMac, TestPlane.LanMac).Ip(Inside, Outside, ttl);

    public PacketBuilder AtOutside(byte ttl = 63) => PacketBuilder.Ethernet(TestPlane.WanMac, TestPlane.ClientMac).Ip(Inside, Outside, ttl);

    public PacketBuilder FromOutside(byte ttl = 64) => PacketBuilder.Ethernet(TestPlane.ClientMac, TestPlane.WanMac).Ip(Outside, Inside, ttl);

    public PacketBuilder AtInside(byte ttl = 63) => PacketBuilder.Ethernet(TestPlane.LanMac, TestPlane.ServerMac).Ip(Outside, Inside, ttl);

    public byte[] Out(TcpFlags flags, uint sequence, uint acknowledgment, int bytes = 0, ushort window = 1000, byte? scale = null) =>
        FromInside().Tcp(Fields(InsidePort, OutsidePort, flags, sequence, acknowledgment, window, scale)).PayloadOf(bytes).Build();

    public byte[] In(TcpFlags flags, uint sequence, uint acknowledgment, int bytes = 0, ushort window = 1000, byte? scale = null) =>
        FromOutside().Tcp(Fields(OutsidePort, InsidePort, flags, sequence, acknowledgment, window, scale)).PayloadOf(bytes).Build();

    /// <summary>SYN, SYN with ACK, ACK: the client has sent up to 101, the server up to 501, and both offer 1,000 bytes.</summary>
    public void Open(TestPlane plane, ushort window = 1000, byte? scale = null)
    {
        Pass(plane, "lan", Out(TcpFlags.Syn, 100, 0, window: window, scale: scale));
        Pass(plane, "wan", In(TcpFlags.Syn | TcpFlags.Ack, 500, 101, window: window, scale: scale));
        Pass(plane, "lan", Out(TcpFlags.Ack, 101, 501, window: window));
    }

    /// <summary>The frame leaves by the other port, as it came but for link header and TTL.</summary>
    public static byte[] Pass(TestPlane plane, string port, byte[] frame)
    {
        byte[] sent = plane.SendForOne(port, frame, port == "lan" ? "wan" : "lan");
        Assert.Equal(Convert.ToHexString(frame.AsSpan(34)), Convert.ToHexString(sent.AsSpan(34)));
        return sent;
    }

    /// <summary>The frame is denied by the rule for invalid packets, for a reason that the explanation tells before.</summary>
    public static void Invalid(TestPlane plane, string port, byte[] frame, StateReason why)
    {
        Explanation said = plane.Engine.Explain(frame, port);
        ExplainStep step = Assert.Single(said.Steps, step => step.Stage == "state");
        Assert.Equal(("invalid", StateReasons.TextOf(why)), (step.Outcome, step.Detail));
        Assert.Empty(plane.SendForDrop(port, frame, DropReason.FilterRule));
    }

    /// <summary>The frame begins something that no rule lets begin.</summary>
    public static void Denied(TestPlane plane, string port, byte[] frame) => Assert.Empty(plane.SendForDrop(port, frame, DropReason.FilterDefault));

    public static string StateOf(TestPlane plane, string port, byte[] frame) =>
        Assert.Single(plane.Engine.Explain(frame, port).Steps, step => step.Stage == "state").Outcome;

    private static TcpFields Fields(ushort from, ushort to, TcpFlags flags, uint sequence, uint acknowledgment, ushort window, byte? scale) => new()
    {
        SourcePort = from,
        DestinationPort = to,
        Flags = flags,
        SequenceNumber = sequence,
        AcknowledgmentNumber = acknowledgment,
        Window = window,
        WindowScale = scale,
    };
}
