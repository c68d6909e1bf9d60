using System.Globalization;
using Dataplane.Packets;
using Dataplane.Pipeline;

namespace Dataplane.Capturing;

/// <summary>Reads a filter: "or" binds least, then "and", then "not". Used once.</summary>
internal sealed class CaptureFilterReader(string text)
{
    private const int MostTests = 64, MostNested = 12;
    private const string Tests = "host, net, port, portrange (each with src or dst before it if wanted), ip, ip6, arp, tcp, udp, icmp, icmp6, proto, ether proto, "
        + "inbound, outbound, on, dropped, reason, held, flow, not, (";

    private readonly List<CaptureTest> _tests = [];
    private int _at;
    private int _start;
    private string _word = "";

    /// <summary>What is wrong; empty when nothing is.</summary>
    public string Error { get; private set; } = "";

    /// <summary>Reads it all.</summary>
    public bool TryRead(out CaptureTest[] tests)
    {
        Next();
        bool isRead = Either(0) && (_word.Length == 0 || Fail("expected and, or, or the end"));
        tests = isRead ? [.. _tests] : [];
        return isRead;
    }

    private bool Either(int depth)
    {
        if (depth > MostNested)
        {
            return Fail($"more than {MostNested} parentheses or nots within each other");
        }

        bool isRead = Both(depth);
        while (isRead && _word is "or" or "||")
        {
            Next();
            isRead = Both(depth) && Add(CaptureTest.Join(CaptureTestKind.Or));
        }

        return isRead;
    }

    private bool Both(int depth)
    {
        bool isRead = One(depth);
        while (isRead && _word is "and" or "&&")
        {
            Next();
            isRead = One(depth) && Add(CaptureTest.Join(CaptureTestKind.And));
        }

        return isRead;
    }

    private bool One(int depth)
    {
        switch (_word)
        {
            case "not" or "!":
                Next();
                return depth < MostNested ? One(depth + 1) && Add(CaptureTest.Join(CaptureTestKind.Not)) : Fail($"more than {MostNested} parentheses or nots within each other");
            case "(":
                Next();
                if (!Either(depth + 1))
                {
                    return false;
                }

                return _word == ")" ? Next() : Fail("expected )");
            default:
                return Test();
        }
    }

    private bool Test()
    {
        switch (_word)
        {
            case "src" or "dst" or "host" or "net" or "port" or "portrange":
                return End();
            case "tcp":
                return Transport(IpProtocols.Tcp);
            case "udp":
                return Transport(IpProtocols.Udp);
            case "icmp":
                return Next() && Add(new CaptureTest { Kind = CaptureTestKind.Protocol, From = IpProtocols.Icmp, Family = 4 });
            case "icmp6":
                return Next() && Add(new CaptureTest { Kind = CaptureTestKind.Protocol, From = IpProtocols.Icmpv6, Family = 6 });
            case "ip" or "ip6" or "arp":
                ushort type = _word == "arp" ? EtherTypes.Arp : _word == "ip" ? EtherTypes.Ipv4 : EtherTypes.Ipv6;
                return Next() && Add(new CaptureTest { Kind = CaptureTestKind.EtherType, From = type });
            case "proto":
                return Next() && Protocol();
            case "ether":
                Next();
                return _word == "proto" ? Next() && EtherTypeNumber() : Fail("expected proto behind ether");
            case "inbound" or "outbound":
                ushort direction = (ushort)(_word == "inbound" ? CaptureDirection.Received : CaptureDirection.Sent);
                return Next() && Add(new CaptureTest { Kind = CaptureTestKind.Direction, From = direction });
            case "dropped":
                return Next() && Add(new CaptureTest { Kind = CaptureTestKind.Dropped });
            case "held":
                return Next() && Add(new CaptureTest { Kind = CaptureTestKind.Held });
            case "reason":
                return Next() && Reason();
            case "on":
                Next();
                return _word.Length > 0 ? Add(new CaptureTest { Kind = CaptureTestKind.SeenAt, Name = _word }) && Next() : Fail("expected the name of a port of the data plane");
            case "flow":
                return Next() && Flow();
            default:
                return Fail($"expected one of {Tests}");
        }
    }

    /// <summary>A protocol, and what may stand right behind it.</summary>
    private bool Transport(byte protocol)
    {
        Next();
        bool isRead = Add(new CaptureTest { Kind = CaptureTestKind.Protocol, From = protocol });
        return isRead && _word is "src" or "dst" or "port" or "portrange" or "host" or "net" ? End() && Add(CaptureTest.Join(CaptureTestKind.And)) : isRead;
    }

    private bool End()
    {
        PacketEnds ends = _word == "src" ? PacketEnds.Source : _word == "dst" ? PacketEnds.Destination : PacketEnds.Either;
        if (ends != PacketEnds.Either)
        {
            Next();
        }

        string kind = _word;
        if (kind is not ("host" or "net" or "port" or "portrange"))
        {
            return Fail("expected host, net, port or portrange");
        }

        Next();
        switch (kind)
        {
            case "port":
                return ushort.TryParse(_word, NumberStyles.None, CultureInfo.InvariantCulture, out ushort port) ? Ports(ends, port, port) : Fail("expected a port from 0 to 65535");
            case "portrange":
                string[] parts = _word.Split('-');
                return parts.Length == 2 && ushort.TryParse(parts[0], NumberStyles.None, CultureInfo.InvariantCulture, out ushort from)
                    && ushort.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out ushort to) && from <= to
                    ? Ports(ends, from, to) : Fail("expected two ports, the smaller first, such as 8000-8080");
            case "host":
                return IpAddress.TryParse(_word, out IpAddress address) ? Prefix(ends, new IpPrefix(address, address.IsIpv4 ? 32 : 128)) : Fail("expected an IPv4 or IPv6 address");
            default:
                return IpPrefix.TryParse(_word, out IpPrefix prefix) ? Prefix(ends, prefix) : Fail("expected a prefix such as 10.0.0.0/8 or 2001:db8::/32");
        }
    }

    private bool Ports(PacketEnds ends, ushort from, ushort to) => Next() && Add(new CaptureTest { Kind = CaptureTestKind.Ports, Ends = ends, From = from, To = to });

    private bool Prefix(PacketEnds ends, IpPrefix prefix)
    {
        // IPv4 addresses stand in the low 32 bits.
        int length = prefix.Address.IsIpv4 ? prefix.Length + 96 : prefix.Length;
        ulong maskHigh = length == 0 ? 0 : ulong.MaxValue << Math.Max(0, 64 - length), maskLow = length <= 64 ? 0 : ulong.MaxValue << (128 - length);
        IpAddress address = prefix.Address;
        return Next() && Add(new CaptureTest
        {
            Kind = CaptureTestKind.Prefix,
            Ends = ends,
            Family = (byte)address.Family,
            High = address.High & maskHigh,
            Low = address.Low & maskLow,
            MaskHigh = maskHigh,
            MaskLow = maskLow,
        });
    }

    private bool Protocol()
    {
        int number = _word switch
        {
            "tcp" => IpProtocols.Tcp,
            "udp" => IpProtocols.Udp,
            "icmp" => IpProtocols.Icmp,
            "icmp6" => IpProtocols.Icmpv6,
            _ => byte.TryParse(_word, NumberStyles.None, CultureInfo.InvariantCulture, out byte other) ? other : -1,
        };
        return number < 0 ? Fail("expected tcp, udp, icmp, icmp6 or a number from 0 to 255") : Next() && Add(new CaptureTest { Kind = CaptureTestKind.Protocol, From = (ushort)number });
    }

    private bool EtherTypeNumber()
    {
        ushort number;
        bool isNumber = _word.StartsWith("0x", StringComparison.Ordinal) ? ushort.TryParse(_word.AsSpan(2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out number)
            : ushort.TryParse(_word, NumberStyles.None, CultureInfo.InvariantCulture, out number);
        return isNumber ? Next() && Add(new CaptureTest { Kind = CaptureTestKind.EtherType, From = number }) : Fail("expected a number from 0 to 65535, or from 0x0 to 0xffff");
    }

    private bool Reason()
    {
        for (int reason = 1; reason < DropReasonNames.Count; reason++)
        {
            if (((DropReason)reason).ToName() == _word)
            {
                return Next() && Add(new CaptureTest { Kind = CaptureTestKind.Reason, From = (ushort)reason });
            }
        }

        return Fail($"expected the name of a drop reason: {string.Join(", ", Enumerable.Range(1, DropReasonNames.Count - 1).Select(reason => ((DropReason)reason).ToName()))}");
    }

    private bool Flow()
    {
        if (!TryReadEndpoint(out IpAddress source, out ushort sourcePort))
        {
            return false;
        }

        int second = _start;
        if (!TryReadEndpoint(out IpAddress destination, out ushort destinationPort))
        {
            return false;
        }

        return source.Family == destination.Family
            ? Add(new CaptureTest { Kind = CaptureTestKind.Flow, Flow = FlowKey.Create(source, sourcePort, destination, destinationPort, 0) })
            : FailAt(second, "expected an address of the same family as the first");
    }

    private bool TryReadEndpoint(out IpAddress address, out ushort port)
    {
        (address, port) = (default, 0);
        int colon = _word.LastIndexOf(':');
        ReadOnlySpan<char> host = colon < 0 ? default : _word.AsSpan(0, colon);
        bool isBracketed = host is ['[', .., ']'];
        bool isRead = colon > 0 && IpAddress.TryParse(isBracketed ? host[1..^1] : host, out address) && address.IsIpv6 == isBracketed
            && ushort.TryParse(_word.AsSpan(colon + 1), NumberStyles.None, CultureInfo.InvariantCulture, out port);
        return isRead ? Next() : Fail("expected the two ends of a flow, such as 192.0.2.1:40000 or [2001:db8::1]:443");
    }

    private bool Add(in CaptureTest test)
    {
        _tests.Add(test);
        return _tests.Count <= MostTests || Fail($"more than {MostTests} tests");
    }

    /// <summary>Goes on to the next word; the empty one is the end.</summary>
    private bool Next()
    {
        while (_at < text.Length && char.IsWhiteSpace(text[_at]))
        {
            _at++;
        }

        _start = _at;
        if (_at < text.Length && text[_at] is '(' or ')' or '!')
        {
            _at++;
        }
        else if (_at + 1 < text.Length && text[_at] is '&' or '|' && text[_at + 1] == text[_at])
        {
            _at += 2;
        }
        else
        {
            while (_at < text.Length && !char.IsWhiteSpace(text[_at]) && text[_at] is not ('(' or ')' or '&' or '|'))
            {
                _at++;
            }
        }

        _at = _at == _start && _at < text.Length ? _at + 1 : _at;
        _word = text[_start.._at];
        return true;
    }

    private bool Fail(string expected) => FailAt(_start, expected);

    private bool FailAt(int at, string expected)
    {
        if (Error.Length == 0)
        {
            string found = at >= text.Length ? "the end" : $"\"{(at == _start ? _word : text[at..].Split(' ')[0])}\"";
            Error = $"filter, character {at + 1}: {found}: {expected}";
        }

        return false;
    }
}
