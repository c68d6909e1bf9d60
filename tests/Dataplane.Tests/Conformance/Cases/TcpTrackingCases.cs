using Dataplane.Packets;
using Dataplane.Pipeline;
using static Dataplane.Tests.Conformance.Cases.Stateful;
using static Dataplane.Tests.Conformance.Say;

namespace Dataplane.Tests.Conformance.Cases;

/// <summary>TCP under rules that ask for states.</summary>
internal static class TcpTrackingCases
{
    private const string LinuxWindows = "keeps to wider bounds of sequence numbers (tcp_be_liberal off, but a window more)";

    private const string Windows = "RFC 9293 3.4";

    public static ConformanceGroup Group { get; } = new("tcp-states", Configure, Add) { Linux = new LinuxRules(Nft) };

    private static void Add(ConformanceGroup group)
    {
        AddHandshake(group);
        AddWrongHandshakes(group);
        AddScans(group);
        AddWindows(group);
        AddAcknowledgments(group);
        AddScales(group);
        AddResets(group);
        AddEnd(group);
        AddRestarts(group);
    }

    private static void AddHandshake(ConformanceGroup group)
    {
        group.Both("handshake-from-inside", "RFC 9293 3.5", c => c.Open());
        group.Both("syn-from-outside-is-new", "RFC 9293 3.5", c => c.InDropped(DropReason.FilterDefault, Tcp(443, c.Port(), Syn, 500)));
        group.Both("syn-with-ecn-setup", "RFC 3168 6.1.1", c => c.Out(Syn | TcpFlags.Ece | TcpFlags.Cwr, 100, 0));
        group.Both("syn-ack-with-ecn-setup", "RFC 3168 6.1.1", c =>
        {
            c.Out(Syn | TcpFlags.Ece | TcpFlags.Cwr, 100, 0);
            c.In(SynAck | TcpFlags.Ece, 500, 101);
        });
        group.Both("syn-with-data", "RFC 7413 4.2", c =>
        {
            c.Out(Syn, 100, 0, bytes: 40);
            c.In(SynAck, 500, 141);
            c.Out(Ack, 141, 501);
        });
        group.Both("syn-ack-takes-only-the-syn-of-syn-with-data", "RFC 7413 4.2.2", c =>
        {
            c.Out(Syn, 100, 0, bytes: 40);
            c.In(SynAck, 500, 101);
            c.Out(Ack, 101, 501, bytes: 40);
        });
        group.Both("syn-is-sent-again", "RFC 9293 3.8.1", c =>
        {
            c.Out(Syn, 100, 0);
            c.Out(Syn, 100, 0);
            c.In(SynAck, 500, 101);
        });
        group.Both("syn-ack-is-sent-again", "RFC 9293 3.8.1", c =>
        {
            c.Out(Syn, 100, 0);
            c.In(SynAck, 500, 101);
            c.In(SynAck, 500, 101);
            c.Out(Ack, 101, 501);
        });
    }

    private static void AddWrongHandshakes(ConformanceGroup group)
    {
        group.Both("syn-ack-that-acknowledges-nothing-sent", "RFC 9293 3.10.7.3", c =>
        {
            c.Out(Syn, 100, 0);
            c.InInvalid(SynAck, 500, 102);
            c.InInvalid(SynAck, 500, 100);
            c.In(SynAck, 500, 101);
        }, linux: "does not hold the handshake's acknowledgments to its numbers");
        group.Both("data-from-inside-before-syn-ack", "RFC 9293 3.10.7.3", c =>
        {
            c.Out(Syn, 100, 0);
            c.OutInvalid(Ack, 101, 501, 10);
        });
        group.Both("fin-before-syn-ack", "RFC 9293 3.10.7.3", c =>
        {
            c.Out(Syn, 100, 0);
            c.InInvalid(FinAck, 500, 101);
        });
        group.Both("ack-of-the-handshake-too-low", "RFC 9293 3.10.7.4", c =>
        {
            c.Out(Syn, 100, 0);
            c.In(SynAck, 500, 101);
            c.OutInvalid(Ack, 101, 500);
            c.Out(Ack, 101, 501);
        }, linux: "does not hold the handshake's acknowledgments to its numbers");
        group.Both("refused-by-reset", "RFC 9293 3.5.2", c =>
        {
            c.Out(Syn, 100, 0);
            c.In(RstAck, 0, 101);
        });
        group.Both("simultaneous-open", "RFC 9293 3.5", c =>
        {
            c.Out(Syn, 100, 0);
            c.In(Syn, 500, 0);
            c.Out(SynAck, 100, 501);
            c.In(SynAck, 500, 101);
            c.Out(Ack, 101, 501, 10);
            c.In(Ack, 501, 111, 10);
        });
        group.Both("half-open-connection-is-discovered", "RFC 9293 3.5.1", c =>
        {
            c.Out(Syn, 100, 0);
            c.In(Ack, 777, 90);
            c.Out(Rst, 90, 0);
            c.Out(Syn, 100, 0);
            c.In(SynAck, 500, 101);
        });
    }

    private static void AddScans(ConformanceGroup group)
    {
        (string What, TcpFlags Flags)[] scans =
        [
            ("ack", Ack), ("fin-ack", FinAck), ("rst", Rst), ("rst-ack", RstAck), ("syn-ack", SynAck), ("xmas", Fin | TcpFlags.Psh | TcpFlags.Urg), ("null", TcpFlags.None),
            ("fin", Fin), ("syn-fin", Syn | Fin), ("syn-rst", Syn | Rst), ("psh", TcpFlags.Psh), ("syn-fin-ack", Syn | Fin | Ack), ("fin-rst", Fin | Rst), ("urg", TcpFlags.Urg),
        ];
        foreach ((string what, TcpFlags flags) in scans)
        {
            group.Both($"{what}-of-no-connection-is-invalid", "RFC 9293 3.10.7.1", c => c.InInvalid(flags, 1, 2));
            group.Both($"{what}-from-inside-of-no-connection-is-invalid", "RFC 9293 3.10.7.1", c => c.OutInvalid(flags, 1, 2),
                linux: flags == Ack ? "picks up connections in the middle (tcp_loose)" : null);
        }

        (string What, TcpFlags Flags)[] damaged = [("syn-fin", Syn | Fin), ("null", TcpFlags.None), ("xmas", Fin | TcpFlags.Psh | TcpFlags.Urg), ("fin-without-ack", Fin), ("syn-rst", Syn | Rst)];
        foreach ((string what, TcpFlags flags) in damaged)
        {
            group.Both($"{what}-within-a-connection-is-invalid", "RFC 9293 3.10.7.4", c =>
            {
                c.Open();
                c.InInvalid(flags, 501, 101);
                c.In(Ack, 501, 101, 10);
            });
        }
    }

    private static void AddWindows(ConformanceGroup group)
    {
        group.Both("data-up-to-the-window", Windows, c =>
        {
            c.Open();
            c.Out(Ack, 101, 501, 1000);
        });
        group.Both("data-one-byte-above-the-window", Windows, c =>
        {
            c.Open();
            c.OutInvalid(Ack, 101, 501, 1001);
        }, linux: LinuxWindows);
        group.Both("answer-one-byte-above-the-window", Windows, c =>
        {
            c.Open();
            c.InInvalid(Ack, 501, 101, 1001);
        }, linux: LinuxWindows);
        group.Both("beginning-above-the-window", Windows, c =>
        {
            c.Open();
            c.OutInvalid(Ack, 1102, 501);
        }, linux: LinuxWindows);
    }

    private static void AddAcknowledgments(ConformanceGroup group)
    {
        group.Both("acknowledgment-of-what-was-not-sent", "RFC 9293 3.10.7.4", c =>
        {
            c.Open();
            c.Out(Ack, 101, 501, 100);
            c.InInvalid(Ack, 501, 202);
            c.In(Ack, 501, 201);
        });
        group.Both("acknowledgment-of-long-ago", "RFC 5961 5.2", c =>
        {
            c.Open();
            c.InInvalid(Ack, 501, unchecked(101u - 66_001));
        }, linux: LinuxWindows);
        group.Both("retransmission-within-a-window", "RFC 9293 3.8.1", c =>
        {
            c.Open();
            c.Out(Ack, 101, 501, 1000);
            c.In(Ack, 501, 1101);
            c.Out(Ack, 101, 501, 1000);
        });
        group.Both("data-older-than-a-window", Windows, c =>
        {
            c.Open();
            for (uint sent = 101; sent < 4101; sent += 1000)
            {
                c.Out(Ack, sent, 501, 1000);
                c.In(Ack, 501, sent + 1000);
            }

            c.OutInvalid(Ack, 101, 501, 10);
            c.Out(Ack, 4101, 501, 10);
        }, linux: LinuxWindows);
        group.Both("zero-window-is-probed-with-one-byte", "RFC 9293 3.8.6.1", c =>
        {
            c.Open();
            c.Out(Ack, 101, 501, 1000);
            c.In(Ack, 501, 1101, window: 0);
            c.Out(Ack, 1101, 501, 1);
            c.OutInvalid(Ack, 1101, 501, 2);
        }, linux: LinuxWindows);
        group.Both("keep-alive-before-the-window", "RFC 9293 3.8.4", c =>
        {
            c.Open();
            c.Out(Ack, 100, 501);
            c.In(Ack, 501, 101);
        });
        group.Both("window-grows-with-acknowledgment", Windows, c =>
        {
            c.Open();
            c.Out(Ack, 101, 501, 1000);
            c.In(Ack, 501, 1101);
            c.Out(Ack, 1101, 501, 1000);
            c.OutInvalid(Ack, 2101, 501, 1);
        }, linux: LinuxWindows);
        group.Both("window-that-shrinks-is-not-held-against-the-sender", "RFC 9293 3.8.6", c =>
        {
            c.Open();
            c.In(Ack, 501, 101, window: 100);
            c.Out(Ack, 101, 501, 1000);
        });
    }

    private static void AddScales(ConformanceGroup group)
    {
        group.Both("sequence-numbers-wrap", Windows, c =>
        {
            uint first = uint.MaxValue - 300;
            c.Out(Syn, first, 0);
            c.In(SynAck, uint.MaxValue, first + 1);
            c.Out(Ack, first + 1, 0);
            c.Out(Ack, first + 1, 0, 1000);
            c.In(Ack, 0, unchecked(first + 1001));
            c.Out(Ack, unchecked(first + 1001), 0, 1000);
        });
        group.Both("scaled-window-when-both-say-so", "RFC 7323 2.2", c =>
        {
            c.Open(scale: 5);
            c.In(Ack, 501, 101);
            c.Out(Ack, 101 + 32_000 - 1000, 501, 1000);
            c.OutInvalid(Ack, 101 + 32_000 - 999, 501, 1000);
        }, linux: LinuxWindows);
        group.Both("window-of-the-syn-ack-is-not-scaled", "RFC 7323 2.2", c =>
        {
            c.Open(scale: 5);
            c.OutInvalid(Ack, 101, 501, 1001);
        }, linux: LinuxWindows);
        group.Both("unscaled-when-one-does-not", "RFC 7323 2.2", c =>
        {
            c.Out(Syn, 100, 0, scale: 5);
            c.In(SynAck, 500, 101);
            c.Out(Ack, 101, 501);
            c.In(Ack, 501, 101);
            c.OutInvalid(Ack, 101, 501, 1001);
        }, linux: LinuxWindows);
        group.Both("urgent-data-passes", "RFC 6093 3", c =>
        {
            c.Open();
            c.Out(Ack | TcpFlags.Urg | TcpFlags.Psh, 101, 501, 5);
        });
        group.Both("congestion-marks-pass", "RFC 3168 6.1.2", c =>
        {
            c.Open();
            c.In(Ack | TcpFlags.Ece, 501, 101, 5);
            c.Out(Ack | TcpFlags.Cwr, 101, 506, 5);
        });
    }

    private static void AddResets(ConformanceGroup group)
    {
        const string Rfc = "RFC 5961 3.2", Linux = "lets resets pass that it does not believe, and has other bounds";
        group.Both("reset-with-the-expected-number-ends-it", Rfc, c =>
        {
            c.Open();
            c.In(Rst, 501, 0);
            c.Out(Syn, 900_000, 0);
            c.In(SynAck, 7_000_000, 900_001);
        });
        group.Both("reset-before-the-window", Rfc, c =>
        {
            c.Open();
            c.InInvalid(Rst, 500, 0);
            c.In(Ack, 501, 101, 10);
        });
        group.Both("reset-beyond-the-window", Rfc, c =>
        {
            c.Open();
            c.InInvalid(Rst, 1502, 0);
            c.In(Ack, 501, 101, 10);
        }, linux: Linux);
        group.Both("reset-in-the-window-passes-and-ends-nothing", Rfc, c =>
        {
            c.Open();
            c.In(Rst, 502, 0);
            c.In(Ack, 501, 101, 10);
            c.Out(Ack, 101, 511, 10);
        });
        group.Both("reset-that-answers-no-syn", "RFC 5961 3.2", c =>
        {
            c.Out(Syn, 100, 0);
            c.InInvalid(RstAck, 0, 102);
            c.In(SynAck, 500, 101);
        }, linux: Linux);
        group.Both("reset-without-ack-in-syn-sent", "RFC 9293 3.10.7.3", c =>
        {
            c.Out(Syn, 100, 0);
            c.InInvalid(Rst, 0, 0);
            c.In(SynAck, 500, 101);
        }, linux: Linux);
        group.Both("reset-of-the-client-aborts-the-handshake", "RFC 9293 3.10.7.4", c =>
        {
            c.Out(Syn, 100, 0);
            c.In(SynAck, 500, 101);
            c.Out(Rst, 101, 0);
            c.OutInvalid(Ack, 102, 999);
            c.Out(Syn, 900_000, 0);
            c.In(SynAck, 7_000_000, 900_001);
        });
    }

    private static void AddEnd(ConformanceGroup group)
    {
        const string Rfc = "RFC 9293 3.6";
        group.Both("closed-by-the-inside", Rfc, c =>
        {
            c.Open();
            c.Close();
        });
        group.Both("closed-by-the-outside", Rfc, c =>
        {
            c.Open();
            c.In(FinAck, 501, 101);
            c.Out(Ack, 101, 502);
            c.Out(FinAck, 101, 502);
            c.In(Ack, 502, 102);
        });
        group.Both("half-closed-still-carries-data", Rfc, c =>
        {
            c.Open();
            c.Out(FinAck, 101, 501);
            c.In(Ack, 501, 102);
            c.In(Ack, 501, 102, 400);
            c.Out(Ack, 102, 901);
            c.In(FinAck, 901, 102);
            c.Out(Ack, 102, 902);
        });
        group.Both("closed-by-both-at-once", "RFC 9293 3.6", c =>
        {
            c.Open();
            c.Out(FinAck, 101, 501);
            c.In(FinAck, 501, 101);
            c.Out(Ack, 102, 502);
            c.In(Ack, 502, 102);
        });
        group.Both("last-fin-is-sent-again-in-time-wait", "RFC 9293 3.6.1", c =>
        {
            c.Open();
            c.Close();
            c.In(FinAck, 501, 102);
            c.Out(Ack, 102, 502);
        });
        group.Both("same-ports-again-after-time-wait", "RFC 9293 3.6.1", c =>
        {
            c.Open();
            c.Close();
            c.Out(Syn, 900_000, 0);
            c.In(SynAck, 7_000_000, 900_001);
            c.Out(Ack, 900_001, 7_000_001);
        });
        group.Both("late-segments-do-not-end-the-next-connection", "RFC 9293 3.6.1", c =>
        {
            c.Open();
            c.Close();
            c.Out(Syn, 900_000, 0);
            c.InInvalid(FinAck, 501, 102);
            c.In(SynAck, 7_000_000, 900_001);
            c.Out(Ack, 900_001, 7_000_001);
        });
        group.Both("syn-from-outside-does-not-reopen", "RFC 9293 3.6.1", c =>
        {
            c.Open();
            c.Close();
            c.InDropped(DropReason.FilterDefault, Tcp(443, c.Port(), Syn, 900_000));
        });
    }

    private static void AddRestarts(ConformanceGroup group)
    {
        const string Rfc = "RFC 5961 4.2";
        group.Both("syn-within-a-connection-changes-nothing", Rfc, c =>
        {
            c.Open();
            c.Out(Syn, 70_000, 0);
            c.In(Ack, 501, 101, 10);
            c.Out(Ack, 101, 511, 10);
        });
        group.Both("client-restarts-and-is-challenged", Rfc, c =>
        {
            c.Open();
            c.Out(Syn, 70_000, 0);
            c.In(Ack, 501, 101);
            c.Out(Rst, 101, 0);
            c.Out(Syn, 70_000, 0);
            c.In(SynAck, 90_000, 70_001);
            c.Out(Ack, 70_001, 90_001);
        });
        group.Both("client-restarts-and-the-server-has-forgotten", Rfc, c =>
        {
            c.Open();
            c.Out(Syn, 70_000, 0);
            c.In(SynAck, 90_000, 70_001);
            c.Out(Ack, 70_001, 90_001);
            c.OutInvalid(Ack, 101, 501, 10);
        }, linux: "keeps to the first connection's numbers until one of them is reset");
        group.Both("syn-ack-out-of-turn", "RFC 9293 3.10.7.4", c =>
        {
            c.Open();
            c.InInvalid(SynAck, 777, 101);
            c.In(Ack, 501, 101, 10);
        }, linux: "leaves a SYN with ACK within a connection to the ends");
        group.Both("two-connections-do-not-mix", "RFC 9293 3.3.2", c =>
        {
            c.Open();
            c.InDropped(DropReason.FilterRule, Tcp(444, c.Port(), Ack, 501, 101, 10));
            c.InDropped(DropReason.FilterRule, Tcp(443, c.Port(1), Ack, 501, 101, 10));
        });
    }
}
