using System.Buffers.Binary;
using System.Net.Sockets;
using static Dataplane.Native.Abi.Bpf;

namespace Dataplane.Native;

/// <summary>The XDP program of an AF_XDP port: hands the frames of queues with a socket to it, and all that it does not want to the kernel.</summary>
/// <remarks>
/// With no rules it is five instructions. With rules it finds the destination address, protocol and port (behind up to two VLAN tags), then
/// compares them rule by rule: what a leave rule matches goes to the kernel, then what a take rule matches to the socket; all others go to the
/// socket only when there are no take rules. What is too short or of another EtherType matches no rule.
/// </remarks>
internal sealed class XdpRedirectProgram
{
    /// <summary>Most rules in one program.</summary>
    internal const int MaxRules = 64;

    // Registers that hold one thing throughout.
    private const int Scratch = 0, Pointer = 1, Family = 2, Protocol = 3, Port = 4, Extra = 5, Context = 6, Frame = 7, End = 8, EtherType = 9, Stack = 10;

    private const int DataOffset = 0, DataEndOffset = 4, QueueOffset = 16;    // struct xdp_md
    private const int AddressOnStack = -16;
    private const int LinkHeader = 14;
    private const int NoPort = 0x10000;
    private const int Neighbours = 256;        // stands for ARP and neighbour discovery, beyond every protocol number
    private const int Tcp = 6, Udp = 17, Icmp6 = 58, Sctp = 132;

    private readonly BpfAssembler _code = new();
    private readonly BpfAssembler.Label _toSocket;
    private readonly BpfAssembler.Label _toKernel;
    private readonly BpfAssembler.Label _match;
    private readonly BpfAssembler.Label _unmatched;

    private XdpRedirectProgram()
    {
        _toSocket = _code.NewLabel();
        _toKernel = _code.NewLabel();
        _match = _code.NewLabel();
        _unmatched = _code.NewLabel();
    }

    /// <summary>Writes the program.</summary>
    /// <param name="map">Descriptor of the map of sockets by queue.</param>
    /// <param name="take">What the socket gets; empty: everything.</param>
    /// <param name="leave">What the kernel keeps of that.</param>
    /// <param name="flows">Flows that the program forwards by itself; null: none.</param>
    /// <param name="interfaceIndex">The interface it is for.</param>
    /// <param name="hasFragments">Whether frames may lie in several buffers; rules look at the first, which holds the headers.</param>
    internal static ulong[] Write(
        int map, IReadOnlyList<XdpRule> take, IReadOnlyList<XdpRule> leave, XdpFlowMap? flows = null, int interfaceIndex = 0, bool hasFragments = false)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(take.Count + leave.Count, MaxRules, nameof(take));
        var program = new XdpRedirectProgram();
        program._code.Move(Context, 1);
        if (flows is not null)
            XdpFastPath.Write(program._code, flows, interfaceIndex, hasFragments);
        if (take.Count + leave.Count > 0)
            program.WriteFilter(take, leave);
        program.WriteToSocket(map);
        // The verifier refuses instructions that nothing leads to.
        if (take.Count + leave.Count > 0)
            program.WriteToKernel();
        return program._code.ToProgram();
    }

    private void WriteToSocket(int map)
    {
        _code.Mark(_toSocket);
        _code.LoadMap(1, map);
        _code.Load(BPF_W, 2, Context, QueueOffset);
        // What becomes of a frame whose queue has no socket; since 5.3.
        _code.Set(3, XDP_PASS);
        _code.Call(BPF_FUNC_redirect_map);
        _code.Exit();
    }

    private void WriteToKernel()
    {
        _code.Mark(_toKernel);
        _code.Set(0, XDP_PASS);
        _code.Exit();
    }

    private void WriteFilter(IReadOnlyList<XdpRule> take, IReadOnlyList<XdpRule> leave)
    {
        _code.Load(BPF_W, Frame, Context, DataOffset);
        _code.Load(BPF_W, End, Context, DataEndOffset);
        NeedBytes(LinkHeader, _unmatched);
        _code.Load(BPF_H, EtherType, Frame, 12);
        SkipVlanTag();
        SkipVlanTag();
        BpfAssembler.Label ipv4 = _code.NewLabel(), ipv6 = _code.NewLabel();
        _code.JumpIf(BPF_JEQ, EtherType, Network(0x0800), ipv4);
        _code.JumpIf(BPF_JEQ, EtherType, Network(0x86DD), ipv6);
        _code.JumpIf(BPF_JNE, EtherType, Network(0x0806), _unmatched);
        ReadArp();
        _code.Mark(ipv4);
        ReadIpv4();
        _code.Mark(ipv6);
        ReadIpv6();
        _code.Mark(_match);
        if (!Match(leave, _toKernel))
            Match(take, _toSocket);
        _code.Mark(_unmatched);
        _code.Jump(take.Count == 0 ? _toSocket : _toKernel);
    }

    /// <summary>Goes elsewhere unless the frame has so many bytes; the verifier believes in them from here on.</summary>
    private void NeedBytes(int count, BpfAssembler.Label otherwise)
    {
        _code.Move(Pointer, Frame);
        _code.Plus(Pointer, count);
        _code.JumpIfRegister(BPF_JGT, Pointer, End, otherwise);
    }

    /// <summary>Moves the frame's pointer four bytes on when there is a tag, so that everything behind it lies where it would without.</summary>
    private void SkipVlanTag()
    {
        BpfAssembler.Label tagged = _code.NewLabel(), done = _code.NewLabel();
        _code.JumpIf(BPF_JEQ, EtherType, Network(0x8100), tagged);
        _code.JumpIf(BPF_JNE, EtherType, Network(0x88A8), done);
        _code.Mark(tagged);
        _code.Plus(Frame, 4);
        NeedBytes(LinkHeader, _unmatched);
        _code.Load(BPF_H, EtherType, Frame, 12);
        _code.Mark(done);
    }

    private void ReadArp()
    {
        const int TargetAddress = LinkHeader + 24;
        NeedBytes(TargetAddress + 4, _unmatched);
        CopyWord(TargetAddress, 0);
        _code.Set(Family, 4);
        _code.Set(Protocol, Neighbours);
        _code.Set(Port, NoPort);
        _code.Jump(_match);
    }

    private void ReadIpv4()
    {
        const int Header = 20, FragmentBits = 0x3FFF;
        NeedBytes(LinkHeader + Header, _unmatched);
        CopyWord(LinkHeader + 16, 0);
        _code.Set(Family, 4);
        _code.Load(BPF_B, Protocol, Frame, LinkHeader + 9);
        _code.Set(Port, NoPort);
        _code.Load(BPF_H, Scratch, Frame, LinkHeader + 6);
        _code.And(Scratch, Network(FragmentBits));
        _code.JumpIf(BPF_JNE, Scratch, 0, _match);
        DemandPorts();
        _code.Load(BPF_B, Scratch, Frame, LinkHeader);
        _code.And(Scratch, 0x0F);
        _code.ShiftLeft(Scratch, 2);
        _code.JumpIf(BPF_JLT, Scratch, Header, _match);
        _code.Move(Pointer, Frame);
        _code.PlusRegister(Pointer, Scratch);
        _code.Move(Extra, Pointer);
        _code.Plus(Extra, LinkHeader + 4);
        _code.JumpIfRegister(BPF_JGT, Extra, End, _match);
        _code.Load(BPF_H, Port, Pointer, LinkHeader + 2);
        _code.FromNetwork16(Port);
        _code.Jump(_match);
    }

    private void ReadIpv6()
    {
        const int Header = 40, Solicitation = 135, Advertisement = 136;
        NeedBytes(LinkHeader + Header, _unmatched);
        for (int word = 0; word < 4; word++)
            CopyWord(LinkHeader + 24 + (4 * word), word);
        _code.Set(Family, 6);
        _code.Load(BPF_B, Protocol, Frame, LinkHeader + 6);
        _code.Set(Port, NoPort);
        BpfAssembler.Label other = _code.NewLabel(), neighbours = _code.NewLabel();
        _code.JumpIf(BPF_JNE, Protocol, Icmp6, other);
        NeedBytes(LinkHeader + Header + 1, _match);
        _code.Load(BPF_B, Scratch, Frame, LinkHeader + Header);
        _code.JumpIf(BPF_JEQ, Scratch, Advertisement, neighbours);
        _code.JumpIf(BPF_JNE, Scratch, Solicitation, _match);
        NeedBytes(LinkHeader + Header + 24, _match);
        // Sent to a group of addresses: the one that is asked for stands in the message.
        for (int word = 0; word < 4; word++)
            CopyWord(LinkHeader + Header + 8 + (4 * word), word);
        _code.Mark(neighbours);
        _code.Set(Protocol, Neighbours);
        _code.Jump(_match);
        _code.Mark(other);
        DemandPorts();
        NeedBytes(LinkHeader + Header + 4, _match);
        _code.Load(BPF_H, Port, Frame, LinkHeader + Header + 2);
        _code.FromNetwork16(Port);
    }

    /// <summary>Goes on to the rules unless the protocol has ports.</summary>
    private void DemandPorts()
    {
        BpfAssembler.Label has = _code.NewLabel();
        _code.JumpIf(BPF_JEQ, Protocol, Tcp, has);
        _code.JumpIf(BPF_JEQ, Protocol, Udp, has);
        _code.JumpIf(BPF_JNE, Protocol, Sctp, _match);
        _code.Mark(has);
    }

    private void CopyWord(int offset, int word)
    {
        _code.Load(BPF_W, Scratch, Frame, offset);
        _code.Store(BPF_W, Stack, AddressOnStack + (4 * word), Scratch);
    }

    /// <summary>Compares with rules in order.</summary>
    /// <returns>Whether one of them matches everything, so that nothing gets past it.</returns>
    private bool Match(IReadOnlyList<XdpRule> rules, BpfAssembler.Label target)
    {
        foreach (XdpRule rule in rules)
        {
            Match(rule, target);
            if (rule is { Address: null, Protocol: null, FirstPort: null })
                return true;
        }

        return false;
    }

    private void Match(XdpRule rule, BpfAssembler.Label target)
    {
        BpfAssembler.Label next = _code.NewLabel();
        if (rule.Address is not null)
        {
            _code.JumpIf(BPF_JNE, Family, rule.Family, next);
            byte[] address = rule.Address.GetAddressBytes();
            int words = rule.Address.AddressFamily == AddressFamily.InterNetwork ? 1 : 4;
            for (int word = 0; word < words; word++)
                MatchWord(address.AsSpan(4 * word, 4), Math.Clamp(rule.PrefixLength - (32 * word), 0, 32), word, next);
        }

        if (rule.Protocol is { } protocol)
            _code.JumpIf(BPF_JNE, Protocol, protocol, next);
        if (rule.FirstPort is { } first)
        {
            _code.JumpIf(BPF_JLT, Port, first, next);
            _code.JumpIf(BPF_JGT, Port, rule.LastPort, next);
        }

        _code.Jump(target);
        _code.Mark(next);
    }

    private void MatchWord(ReadOnlySpan<byte> bytes, int bits, int word, BpfAssembler.Label next)
    {
        if (bits == 0)
            return;
        uint mask = uint.MaxValue << (32 - bits);
        _code.Load(BPF_W, Scratch, Stack, AddressOnStack + (4 * word));
        if (bits < 32)
            _code.And(Scratch, (int)InMemory(mask));
        _code.JumpIf(BPF_JNE, Scratch, (int)InMemory(BinaryPrimitives.ReadUInt32BigEndian(bytes) & mask), next);
    }

    /// <summary>What a load of 16 bits gives for a number on the wire.</summary>
    private static int Network(int value) => BitConverter.IsLittleEndian ? BinaryPrimitives.ReverseEndianness((ushort)value) : value;

    private static uint InMemory(uint value) => BitConverter.IsLittleEndian ? BinaryPrimitives.ReverseEndianness(value) : value;
}
