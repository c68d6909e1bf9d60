using System.Buffers.Binary;

namespace Dataplane.Tests.Nat64;

/// <summary>RFC 7915 once more, as it is written there: packets of one inside host, with checksums added up anew. Knows nothing of the engine.</summary>
/// <param name="Inside">16 bytes of the inside host.</param>
/// <param name="Pool">4 bytes that it has outside.</param>
/// <param name="Prefix">12 bytes before every IPv4 address.</param>
/// <param name="InsidePort">Its port, or identifier.</param>
/// <param name="PoolPort">The port it has outside.</param>
internal sealed record ReferenceTranslator(byte[] Inside, byte[] Pool, byte[] Prefix, int InsidePort, int PoolPort)
{
    /// <summary>The IPv4 packet of an IPv6 packet.</summary>
    /// <param name="packet">From the network header.</param>
    /// <param name="identification">Number for it, where the translator chooses one.</param>
    /// <param name="hops">Hops to take.</param>
    /// <param name="error">Type, code and rest, if it is an ICMP error.</param>
    public byte[] ToV4(byte[] packet, int identification, int hops = 1, (int Type, int Code, uint More)? error = null)
    {
        int next = packet[6], at = 40, word = 0;
        bool hasFragmentHeader = false;
        while (next is 0 or 43 or 44 or 60)
        {
            int length = next == 44 ? 8 : 8 * (packet[at + 1] + 1);
            if (next == 44)
            {
                int place = (packet[at + 2] << 8) | packet[at + 3];
                (word, hasFragmentHeader) = ((place / 8) | ((place & 1) * 0x2000), true);
                identification = (packet[at + 6] << 8) | packet[at + 7];
            }

            next = packet[at];
            at += length;
        }

        int end = 40 + ((packet[4] << 8) | packet[5]);
        byte[] payload = packet[at..Math.Min(end, packet.Length)];
        int total = 20 + end - at;
        bool isLong = !hasFragmentHeader && total > 1260;
        byte[] made = new byte[20 + payload.Length];
        made[0] = 0x45;
        made[1] = (byte)(((packet[0] & 15) << 4) | (packet[1] >> 4));
        Put(made, 2, total);
        Put(made, 4, isLong ? 0 : identification);
        Put(made, 6, isLong ? 0x4000 : word);
        made[8] = (byte)(packet[7] - hops);
        made[9] = (byte)(next == 58 ? 1 : next);
        V4Of(packet[8..24]).CopyTo(made, 12);
        V4Of(packet[24..40]).CopyTo(made, 16);
        Put(made, 10, 0xFFFF ^ Sum(made[..20]));
        if ((word & 0x1FFF) == 0)
        {
            payload = Transport(payload, made, 4, Same(packet[8..24], Inside), error, inner => ToV4(inner, 0, hops: 0));
        }

        Array.Resize(ref made, 20 + payload.Length);
        payload.CopyTo(made, 20);
        if (error is not null)
        {
            Put(made, 2, made.Length);
            Put(made, 10, 0);
            Put(made, 10, 0xFFFF ^ Sum(made[..20]));
        }

        return made;
    }

    /// <summary>The IPv6 packet of an IPv4 packet that needs not be cut.</summary>
    public byte[] ToV6(byte[] packet, int hops = 1, (int Type, int Code, uint More)? error = null)
    {
        int header = 4 * (packet[0] & 15), word = (packet[6] << 8) | packet[7];
        bool isFragment = (word & 0x3FFF) != 0;
        byte[] payload = packet[header..Math.Min(packet.Length, (packet[2] << 8) | packet[3])];
        int said = ((packet[2] << 8) | packet[3]) - header;
        byte protocol = (byte)(packet[9] == 1 ? 58 : packet[9]);
        var made = new byte[40];
        made[0] = (byte)(0x60 | (packet[1] >> 4));
        made[1] = (byte)(packet[1] << 4);
        made[6] = isFragment ? (byte)44 : protocol;
        made[7] = (byte)(packet[8] - hops);
        V6Of(packet[12..16]).CopyTo(made, 8);
        V6Of(packet[16..20]).CopyTo(made, 24);
        if ((word & 0x1FFF) == 0)
        {
            int before = payload.Length;
            payload = Transport(payload, made, 6, Same(packet[12..16], Pool), error, inner => ToV6(inner, hops: 0));
            said += payload.Length - before;
        }

        byte[] between = isFragment ? [protocol, 0, (byte)((word & 0x1FFF) >> 5), (byte)(((word & 0x1F) << 3) | ((word >> 13) & 1)), 0, 0, packet[4], packet[5]] : [];
        Put(made, 4, said + between.Length);
        return [.. made, .. between, .. payload];
    }

    private byte[] Transport(byte[] payload, byte[] header, int family, bool fromInside, (int Type, int Code, uint More)? error, Func<byte[], byte[]> inner)
    {
        byte[] made = [.. payload];
        int protocol = header[family == 4 ? 9 : 6], port = family == 4 ? PoolPort : InsidePort, at = 2;
        if (error is { } told)
        {
            made = [(byte)told.Type, (byte)told.Code, 0, 0, (byte)(told.More >> 24), (byte)(told.More >> 16), (byte)(told.More >> 8), (byte)told.More, .. inner(payload[8..])];
        }
        else if (payload[0] is 0 or 8 or 128 or 129 && protocol is 1 or 58)
        {
            made[0] = (payload[0], family) switch { (0 or 129, 4) => 0, (_, 4) => 8, (0 or 129, _) => 129, _ => 128 };
            Put(made, 4, port);
        }
        else
        {
            at = protocol == 6 ? 16 : 6;
            Put(made, fromInside ? 0 : 2, port);
            if (family == 4 && protocol == 17 && made[6] == 0 && made[7] == 0)
            {
                return made;
            }
        }

        Put(made, at, 0);
        byte[] pseudo = family == 4 && protocol == 1 ? []
            : [.. family == 4 ? header[12..20] : header[8..40], 0, (byte)protocol, (byte)(made.Length >> 8), (byte)made.Length];
        int sum = 0xFFFF ^ Sum([.. pseudo, .. made]);
        Put(made, at, sum == 0 && protocol == 17 ? 0xFFFF : sum);
        return made;
    }

    private byte[] V4Of(byte[] address) => address.AsSpan().StartsWith(Prefix) ? address[12..] : Pool;

    private byte[] V6Of(byte[] address) => Same(address, Pool) ? Inside : [.. Prefix, .. address];

    private static bool Same(byte[] left, byte[] right) => left.AsSpan().SequenceEqual(right);

    private static void Put(byte[] target, int at, int value) => BinaryPrimitives.WriteUInt16BigEndian(target.AsSpan(at), (ushort)value);

    private static int Sum(byte[] bytes)
    {
        long sum = 0;
        for (int i = 0; i < bytes.Length; i++)
        {
            sum += (i & 1) == 0 ? bytes[i] << 8 : bytes[i];
        }

        while (sum > 0xFFFF)
        {
            sum = (sum & 0xFFFF) + (sum >> 16);
        }

        return (int)sum;
    }
}
