using System.Buffers.Binary;
using static Dataplane.Native.Abi.Bpf;

namespace Dataplane.Native;

/// <summary>The part of an XDP program that forwards the packets of known flows by itself.</summary>
/// <remarks>
/// Only what is ordinary: no VLAN tag, no IPv4 options, no fragment, TTL above 1, a header whose checksum is right, TCP with ACK and without FIN, SYN, RST and URG, or
/// UDP; lengths that agree; a transport checksum that is finished; a frame for the right station, no longer than the way out takes; a way out that is there. Everything
/// else, and every packet of an unknown flow, goes on to the socket as it came. The bytes that leave are those that the engine would send.
/// </remarks>
internal sealed class XdpFastPath
{
    private const int Result = 0, First = 1, Second = 2, Third = 3, Length = 4, Protocol = 5, Context = 6, Frame = 7, End = 8, Flow = 9, Stack = 10;
    private const int LinkHeader = 14, Tcp = 6, Udp = 17;

    /// <summary>Of a segment's flags, those that are looked at: FIN, SYN, RST, ACK, URG. A flow whose rules ask for others is not for this.</summary>
    internal const byte FlagsLookedAt = 0x37;

    // The stack: the key, the length of the frame, the key of the map of counters, where the flow is counted.
    private const int KeyAt = -48, LengthAt = -52, SlotAt = -56, CounterAt = -64;

    private readonly BpfAssembler _code;
    private readonly XdpFlowMap _maps;
    private readonly int _interface;
    private readonly BpfAssembler.Label _slow;

    private XdpFastPath(BpfAssembler code, XdpFlowMap maps, int interfaceIndex, BpfAssembler.Label slow) =>
        (_code, _maps, _interface, _slow) = (code, maps, interfaceIndex, slow);

    /// <summary>Writes it behind what is there; register 6 holds the context, and whatever is not forwarded falls through with it.</summary>
    internal static void Write(BpfAssembler code, XdpFlowMap maps, int interfaceIndex, bool hasFragments)
    {
        BpfAssembler.Label slow = code.NewLabel(), ipv6 = code.NewLabel();
        var part = new XdpFastPath(code, maps, interfaceIndex, slow);
        code.Load(BPF_W, Frame, Context, 0);
        code.Load(BPF_W, End, Context, 4);
        if (hasFragments)
        {
            // What is in several buffers is the engine's: lengths are compared with the first one's alone.
            code.Move(First, Context);
            code.Call(BPF_FUNC_xdp_get_buff_len);
            // For the verifier: 128 KB are more than any frame has.
            code.And(Result, 0x1FFFF);
            code.Move(Second, Frame);
            code.PlusRegister(Second, Result);
            code.JumpIfRegister(BPF_JGT, Second, End, slow);
        }

        part.Need(LinkHeader + 20 + 8, slow);
        code.Load(BPF_H, Third, Frame, 12);
        code.JumpIf(BPF_JEQ, Third, Network(0x86DD), ipv6);
        code.JumpIf(BPF_JNE, Third, Network(0x0800), slow);
        part.WriteFamily(isV4: true);
        code.Mark(ipv6);
        part.WriteFamily(isV4: false);
        code.Mark(slow);
    }

    private void WriteFamily(bool isV4)
    {
        int header = isV4 ? 20 : 40, transport = LinkHeader + header;
        BpfAssembler.Label find = _code.NewLabel(), udp = _code.NewLabel(), sum = _code.NewLabel();
        if (!isV4)
            Need(transport + 8, _slow);
        WriteHeaderChecks(isV4);
        WriteKey(isV4, transport);
        _code.JumpIf(BPF_JEQ, Protocol, Udp, udp);
        _code.JumpIf(BPF_JNE, Protocol, Tcp, _slow);

        const int Ack = 0x10;
        Need(transport + 20, _slow);
        WriteTcpHeaderCheck(transport);
        _code.Load(BPF_B, Third, Frame, transport + 13);
        _code.And(Third, FlagsLookedAt);
        _code.JumpIf(BPF_JNE, Third, Ack, _slow);
        _code.Load(BPF_H, Second, Frame, transport + 16);
        _code.Jump(sum);

        _code.Mark(udp);
        _code.Load(BPF_H, Third, Frame, transport + 4);
        _code.FromNetwork16(Third);
        _code.Plus(Third, transport);
        _code.JumpIfRegister(BPF_JNE, Third, Length, _slow);
        _code.Load(BPF_H, Second, Frame, transport + 6);
        _code.JumpIf(BPF_JEQ, Second, 0, isV4 ? find : _slow);

        _code.Mark(sum);
        WriteRefusalOfUnfinished(isV4, transport);
        _code.Mark(find);
        WriteFind();
        WriteRewrite(isV4, transport);
    }

    /// <summary>The segment's own header must be whole: an engine drops what says otherwise.</summary>
    private void WriteTcpHeaderCheck(int transport)
    {
        _code.Load(BPF_B, Third, Frame, transport + 12);
        _code.ShiftRight(Third, 4);
        _code.ShiftLeft(Third, 2);
        _code.JumpIf(BPF_JLT, Third, 20, _slow);
        _code.Plus(Third, transport);
        _code.JumpIfRegister(BPF_JGT, Third, Length, _slow);
    }

    /// <summary>Version, options, fragment, checksum, TTL; the length, which must be the frame's to the byte.</summary>
    private void WriteHeaderChecks(bool isV4)
    {
        _code.Load(BPF_B, Third, Frame, LinkHeader);
        if (!isV4)
            _code.And(Third, 0xF0);
        _code.JumpIf(BPF_JNE, Third, isV4 ? 0x45 : 0x60, _slow);
        if (isV4)
        {
            _code.Load(BPF_H, Third, Frame, LinkHeader + 6);
            _code.And(Third, Network(0x3FFF));
            _code.JumpIf(BPF_JNE, Third, 0, _slow);

            // The sum over a header that is right is 0xFFFF (RFC 1071).
            _code.Set(Third, 0);
            for (int word = 0; word < 5; word++)
            {
                _code.Load(BPF_W, Result, Frame, LinkHeader + (4 * word));
                _code.PlusRegister(Third, Result);
            }

            Fold(Third);
            _code.JumpIf(BPF_JNE, Third, 0xFFFF, _slow);
        }

        _code.Load(BPF_B, Third, Frame, LinkHeader + (isV4 ? 8 : 7));
        _code.JumpIf(BPF_JLT, Third, 2, _slow);
        _code.Load(BPF_B, Protocol, Frame, LinkHeader + (isV4 ? 9 : 6));
        _code.Load(BPF_H, Length, Frame, LinkHeader + (isV4 ? 2 : 4));
        _code.FromNetwork16(Length);
        // For the verifier, which takes the result of a swap for anything.
        _code.And(Length, 0xFFFF);
        _code.Plus(Length, LinkHeader + (isV4 ? 0 : 40));
        _code.Move(First, Frame);
        _code.PlusRegister(First, Length);
        _code.JumpIfRegister(BPF_JGT, First, End, _slow);
        _code.JumpIfRegister(BPF_JLT, First, End, _slow);
        _code.Store(BPF_W, Stack, LengthAt, Length);
    }

    private void WriteKey(bool isV4, int transport)
    {
        int source = LinkHeader + (isV4 ? 12 : 8), words = isV4 ? 1 : 4;
        _code.StoreNumber(BPF_W, Stack, KeyAt, _interface);
        Copy(transport, KeyAt + 4);
        for (int word = 0; word < 4; word++)
        {
            foreach ((int from, int to) in new[] { (source, KeyAt + 8), (source + (4 * words), KeyAt + 24) })
            {
                if (word < words)
                    Copy(from + (4 * word), to + (4 * word));
                else
                    _code.StoreNumber(BPF_W, Stack, to + (4 * word), 0);
            }
        }

        _code.Move(Result, Protocol);
        _code.Or(Result, (isV4 ? 4 : 6) << 8);
        _code.Store(BPF_W, Stack, KeyAt + 40, Result);

        void Copy(int from, int to)
        {
            _code.Load(BPF_W, Result, Frame, from);
            _code.Store(BPF_W, Stack, to, Result);
        }
    }

    /// <summary>A checksum that is the sum of the pseudo-header alone is left to hardware that does not exist: the engine finishes it.</summary>
    private void WriteRefusalOfUnfinished(bool isV4, int transport)
    {
        int source = LinkHeader + (isV4 ? 12 : 8), words = isV4 ? 2 : 8;
        _code.Move(Third, Protocol);
        _code.ShiftLeft(Third, 8);
        for (int word = 0; word < words; word++)
        {
            _code.Load(BPF_W, Result, Frame, source + (4 * word));
            _code.PlusRegister(Third, Result);
        }

        _code.Move(Result, Length);
        _code.Plus(Result, -transport);
        _code.FromNetwork16(Result);
        _code.PlusRegister(Third, Result);
        Fold(Third);
        _code.JumpIfRegister(BPF_JEQ, Second, Third, _slow);
    }

    /// <summary>Makes 16 bits of a sum of words, adding what carries over.</summary>
    private void Fold(int sum)
    {
        _code.Move(Result, sum);
        _code.ShiftRight(Result, 32);
        _code.Cut32(sum);
        _code.PlusRegister(sum, Result);
        for (int fold = 0; fold < 3; fold++)
        {
            _code.Move(Result, sum);
            _code.ShiftRight(Result, 16);
            _code.And(sum, 0xFFFF);
            _code.PlusRegister(sum, Result);
        }
    }

    /// <summary>Finds the flow, sees whether it holds for this frame and has its way out, and counts it.</summary>
    private void WriteFind()
    {
        LookUp(_maps.FlowsNumber, KeyAt);
        _code.Move(Flow, Result);
        _code.StoreNumber(BPF_W, Stack, SlotAt, 0);
        LookUp(_maps.CountersNumber, SlotAt);
        _code.Load(BPF_W, Second, Result, 0);
        Demand(BPF_W, Flow, 0);
        _code.Load(BPF_W, Second, Frame, 0);
        Demand(BPF_W, Flow, 28);
        _code.Load(BPF_H, Second, Frame, 4);
        Demand(BPF_W, Flow, 32);
        _code.Load(BPF_W, Second, Stack, LengthAt);
        _code.Load(BPF_W, Third, Flow, 12);
        _code.JumpIfRegister(BPF_JGT, Second, Third, _slow);

        _code.Load(BPF_W, Second, Flow, 4);
        _code.Store(BPF_W, Stack, SlotAt, Second);
        LookUp(_maps.CountersNumber, SlotAt);
        _code.Load(BPF_W, Second, Result, XdpFlowMap.HoldsAt);
        Demand(BPF_W, Flow, 0);
        _code.Store(BPF_DW, Stack, CounterAt, Result);

        // Said before anything is written or counted: when the device has gone, the frame is the engine's as it came.
        _code.LoadMap(First, _maps.DevicesNumber);
        _code.Load(BPF_W, Second, Flow, 8);
        _code.Set(Third, XDP_PASS);
        _code.Call(BPF_FUNC_redirect_map);
        _code.JumpIf(BPF_JNE, Result, XDP_REDIRECT, _slow);
        _code.Load(BPF_DW, Result, Stack, CounterAt);
        _code.Set(Second, 1);
        _code.AtomicAdd(Result, 0, Second);
        _code.Load(BPF_W, Second, Stack, LengthAt);
        _code.AtomicAdd(Result, 8, Second);

        void Demand(int size, int register, int offset)
        {
            _code.Load(size, Third, register, offset);
            _code.JumpIfRegister(BPF_JNE, Second, Third, _slow);
        }
    }

    private void WriteRewrite(bool isV4, int transport)
    {
        int source = LinkHeader + (isV4 ? 12 : 8), words = isV4 ? 1 : 4;
        BpfAssembler.Label udp = _code.NewLabel(), leave = _code.NewLabel(), store = _code.NewLabel();
        for (int word = 0; word < 3; word++)
            FromFlow(16 + (4 * word), 4 * word);
        if (isV4)
        {
            _code.Load(BPF_H, Second, Frame, LinkHeader + 10);
            Adjust(36);
            _code.Store(BPF_H, Frame, LinkHeader + 10, Second);
        }

        int ttl = LinkHeader + (isV4 ? 8 : 7);
        _code.Load(BPF_B, Second, Frame, ttl);
        _code.Plus(Second, -1);
        _code.Store(BPF_B, Frame, ttl, Second);
        for (int word = 0; word < words; word++)
        {
            FromFlow(48 + (4 * word), source + (4 * word));
            FromFlow(64 + (4 * word), source + (4 * (words + word)));
        }

        FromFlow(44, transport);
        _code.Load(BPF_B, Protocol, Stack, KeyAt + 40);
        _code.JumpIf(BPF_JEQ, Protocol, Udp, udp);

        // It has been looked at before, which the verifier has forgotten.
        Need(transport + 18, leave);
        _code.Load(BPF_H, Second, Frame, transport + 16);
        Adjust(40);
        _code.Store(BPF_H, Frame, transport + 16, Second);
        _code.Jump(leave);

        _code.Mark(udp);
        _code.Load(BPF_H, Second, Frame, transport + 6);
        _code.JumpIf(BPF_JEQ, Second, 0, leave);
        Adjust(40);
        _code.JumpIf(BPF_JNE, Second, 0, store);
        _code.Set(Second, 0xFFFF);
        _code.Mark(store);
        _code.Store(BPF_H, Frame, transport + 6, Second);

        _code.Mark(leave);
        _code.Set(Result, XDP_REDIRECT);
        _code.Exit();

        void FromFlow(int from, int to)
        {
            _code.Load(BPF_W, Second, Flow, from);
            _code.Store(BPF_W, Frame, to, Second);
        }
    }

    /// <summary>Adds what the flow has there to the checksum in hand (RFC 1624).</summary>
    private void Adjust(int delta)
    {
        _code.Xor(Second, 0xFFFF);
        _code.Load(BPF_W, Third, Flow, delta);
        _code.PlusRegister(Second, Third);
        _code.Move(Third, Second);
        _code.ShiftRight(Third, 16);
        _code.PlusRegister(Second, Third);
        _code.Xor(Second, 0xFFFF);
        _code.And(Second, 0xFFFF);
    }

    private void LookUp(int map, int keyAt)
    {
        _code.LoadMap(First, map);
        _code.Move(Second, Stack);
        _code.Plus(Second, keyAt);
        _code.Call(BPF_FUNC_map_lookup_elem);
        _code.JumpIfNull(Result, _slow);
    }

    /// <summary>Goes elsewhere unless the frame has so many bytes; the verifier believes in them from here on.</summary>
    private void Need(int count, BpfAssembler.Label otherwise)
    {
        _code.Move(First, Frame);
        _code.Plus(First, count);
        _code.JumpIfRegister(BPF_JGT, First, End, otherwise);
    }

    /// <summary>What a load of 16 bits gives for a number on the wire.</summary>
    private static int Network(int value) => BitConverter.IsLittleEndian ? BinaryPrimitives.ReverseEndianness((ushort)value) : value;
}
