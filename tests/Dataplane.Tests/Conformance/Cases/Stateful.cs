using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Tracking;
using static Dataplane.Tests.Conformance.Say;

namespace Dataplane.Tests.Conformance.Cases;

/// <summary>Rules that ask for states, and the segments of one connection between a host inside and the client.</summary>
/// <remarks>What is established or related passes both ways, what is new passes from inside only (from outside it is <see cref="DropReason.FilterDefault"/>), what is invalid is
/// <see cref="DropReason.FilterRule"/>: so each state shows in what becomes of a packet from outside.</remarks>
internal static class Stateful
{
    public const TcpFlags Syn = TcpFlags.Syn, Ack = TcpFlags.Ack, Fin = TcpFlags.Fin, Rst = TcpFlags.Rst, SynAck = Syn | Ack, FinAck = Fin | Ack, RstAck = Rst | Ack;

    /// <summary>The same rules for Linux.</summary>
    public const string Nft = """
        ct state established,related accept
        ct state invalid drop
        iifname "lan" ct state new accept
        drop
        """;

    public static void Configure(DataplaneBuilder builder) => builder.Filter(filter => filter
        .Allow(state: ConnectionStates.Established | ConnectionStates.Related, name: "known")
        .Deny(state: ConnectionStates.Invalid, name: "invalid")
        .Allow(state: ConnectionStates.New, port: "lan", name: "out")
        .DefaultDeny());

    /// <summary>A segment from inside passes.</summary>
    public static void Out(this CaseScript c, TcpFlags flags, uint sequence, uint acknowledgment, int bytes = 0, ushort window = 1000, byte? scale = null) =>
        c.Out(Tcp(c.Port(), 443, flags, sequence, acknowledgment, bytes, window, scale));

    /// <summary>A segment from outside passes.</summary>
    public static void In(this CaseScript c, TcpFlags flags, uint sequence, uint acknowledgment, int bytes = 0, ushort window = 1000, byte? scale = null) =>
        c.In(Tcp(443, c.Port(), flags, sequence, acknowledgment, bytes, window, scale));

    /// <summary>A segment from inside is invalid.</summary>
    public static void OutInvalid(this CaseScript c, TcpFlags flags, uint sequence, uint acknowledgment, int bytes = 0) =>
        c.OutDropped(DropReason.FilterRule, Tcp(c.Port(), 443, flags, sequence, acknowledgment, bytes));

    /// <summary>A segment from outside is invalid.</summary>
    public static void InInvalid(this CaseScript c, TcpFlags flags, uint sequence, uint acknowledgment, int bytes = 0) =>
        c.InDropped(DropReason.FilterRule, Tcp(443, c.Port(), flags, sequence, acknowledgment, bytes));

    /// <summary>SYN, SYN with ACK, ACK: the inside has sent up to 101, the outside up to 501, and both take 1,000 bytes.</summary>
    public static void Open(this CaseScript c, byte? scale = null)
    {
        c.Out(Syn, 100, 0, scale: scale);
        c.In(SynAck, 500, 101, scale: scale);
        c.Out(Ack, 101, 501);
    }

    /// <summary>Both sides have ended it: FIN, ACK, FIN, ACK.</summary>
    public static void Close(this CaseScript c)
    {
        c.Out(FinAck, 101, 501);
        c.In(Ack, 501, 102);
        c.In(FinAck, 501, 102);
        c.Out(Ack, 102, 502);
    }
}
