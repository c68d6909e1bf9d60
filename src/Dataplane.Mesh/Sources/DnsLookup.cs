using System.Buffers.Binary;
using System.Net;
using Dataplane.Names;
using Dataplane.Packets;

namespace Dataplane.Mesh.Sources;

/// <summary>What a name leads to, told apart from that nobody could say.</summary>
internal sealed class DnsLookup(Func<IReadOnlyList<IPEndPoint>> servers, TimeSpan patience)
{
    private const int MaxAliases = 8, MaxTargets = 64;

    /// <summary>An address that a name leads to.</summary>
    /// <param name="Address">The address.</param>
    /// <param name="Port">Port, if SRV records told one; else 0.</param>
    /// <param name="Weight">Share; 1 without SRV.</param>
    internal readonly record struct Found(IpAddress Address, ushort Port, int Weight);

    private sealed record Answer(List<byte[]> Data, uint Ttl);

    /// <summary>Looks a name up.</summary>
    /// <returns>What it leads to, perhaps nothing, and for how long that holds, in seconds.</returns>
    /// <exception cref="IOException">Nobody could say; the message says why.</exception>
    public async Task<(IReadOnlyList<Found> Found, uint Seconds)> FindAsync(string name, CancellationToken cancellationToken)
    {
        if (!name.StartsWith('_'))
        {
            (List<IpAddress> addresses, uint seconds) = await AddressesAsync(DomainName.ToWire(name), cancellationToken).ConfigureAwait(false);
            return ([.. addresses.Select(address => new Found(address, 0, 1))], seconds);
        }

        Answer records = await AskAsync(DomainName.ToWire(name), DnsWire.TypeSrv, cancellationToken).ConfigureAwait(false);
        uint lowest = records.Ttl;

        // Those of the lowest number first; the others only when these lead nowhere (RFC 2782).
        foreach (IGrouping<ushort, byte[]> group in records.Data.Where(data => data.Length > DnsMessage.SrvFixedBytes + 1).Take(MaxTargets)
            .GroupBy(data => BinaryPrimitives.ReadUInt16BigEndian(data)).OrderBy(group => group.Key))
        {
            var found = new List<Found>();
            foreach (byte[] data in group)
            {
                (List<IpAddress> addresses, uint seconds) = await AddressesAsync(data[DnsMessage.SrvFixedBytes..], cancellationToken).ConfigureAwait(false);
                lowest = Math.Min(lowest, seconds);
                int weight = Math.Max(1, (int)BinaryPrimitives.ReadUInt16BigEndian(data.AsSpan(2)));
                found.AddRange(addresses.Select(address => new Found(address, BinaryPrimitives.ReadUInt16BigEndian(data.AsSpan(4)), weight)));
            }

            if (found.Count > 0)
            {
                return (found, lowest);
            }
        }

        return ([], lowest);
    }

    private async Task<(List<IpAddress> Addresses, uint Seconds)> AddressesAsync(byte[] name, CancellationToken cancellationToken)
    {
        Answer v4 = await AskAsync(name, DnsWire.TypeA, cancellationToken).ConfigureAwait(false);
        Answer v6 = await AskAsync(name, DnsWire.TypeAaaa, cancellationToken).ConfigureAwait(false);
        List<IpAddress> addresses = [.. v4.Data.Where(data => data.Length == 4).Select(data => IpAddress.ReadV4(data)), .. v6.Data.Where(data => data.Length == 16).Select(data => IpAddress.ReadV6(data))];

        // That there is none of the other family holds for as long as it likes: what is there decides.
        uint seconds = v4.Data.Count > 0 && v6.Data.Count > 0 ? Math.Min(v4.Ttl, v6.Ttl) : v6.Data.Count > 0 ? v6.Ttl : v4.Ttl;
        return (addresses, seconds);
    }

    /// <summary>Records of one type, aliases followed.</summary>
    private async Task<Answer> AskAsync(byte[] name, ushort type, CancellationToken cancellationToken)
    {
        uint lowest = uint.MaxValue;
        for (int aliases = 0; aliases <= MaxAliases; aliases++)
        {
            byte[] response = await AskServersAsync(name, type, cancellationToken).ConfigureAwait(false);
            List<DnsMessage.Record> records = DnsMessage.ReadAnswers(response) ?? throw new IOException("what came cannot be read");
            byte[] at = name;
            for (int hops = 0; hops < records.Count && records.Find(record => record.Type == DnsWire.TypeCname && IsSame(record.Name, at)) is { } alias; hops++)
            {
                at = alias.Data;
                lowest = Math.Min(lowest, alias.Ttl);
            }

            List<DnsMessage.Record> wanted = records.FindAll(record => record.Type == type && record.Class == DnsWire.ClassIn && IsSame(record.Name, at));
            if (wanted.Count > 0)
            {
                return new Answer([.. wanted.Select(record => record.Data)], Math.Min(lowest, wanted.Min(record => record.Ttl)));
            }

            if (IsSame(at, name) || (response[3] & 15) == DnsWire.NxDomain)
            {
                // Nothing there, as the whole message says for how long (RFC 2308).
                return new Answer([], Math.Min(lowest, DnsMessage.Age(response, 0) ?? 0));
            }

            // An alias whose end the server did not look up: only he who is asked for it can say that there is nothing.
            name = at;
        }

        throw new IOException("aliases lead on and on");
    }

    /// <summary>Asks one server after another until one says something of it: that a name does not exist is such an answer, a failure is none.</summary>
    private async Task<byte[]> AskServersAsync(byte[] name, ushort type, CancellationToken cancellationToken)
    {
        byte[] query = new byte[DnsWire.HeaderBytes + name.Length + 4];
        BinaryPrimitives.WriteUInt16BigEndian(query.AsSpan(2), DnsWire.RecursionDesired);
        query[5] = 1;
        name.CopyTo(query, DnsWire.HeaderBytes);
        BinaryPrimitives.WriteUInt16BigEndian(query.AsSpan(DnsWire.HeaderBytes + name.Length), type);
        BinaryPrimitives.WriteUInt16BigEndian(query.AsSpan(DnsWire.HeaderBytes + name.Length + 2), DnsWire.ClassIn);
        var problems = new List<string>();
        foreach (IPEndPoint server in servers())
        {
            using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            limit.CancelAfter(patience);
            byte[]? response = await UpstreamExchange.AskAsync(server, query, name.Length + 4, limit.Token).ConfigureAwait(false);
            cancellationToken.ThrowIfCancellationRequested();
            bool isCut = response is not null && (response[2] & (DnsWire.Truncated >> 8)) != 0;
            if (response is not null && !isCut && (response[3] & 15) is DnsWire.NoError or DnsWire.NxDomain)
            {
                return response;
            }

            problems.Add($"{server}: {(response is null ? "no answer" : isCut ? "an answer that was cut short" : $"response code {response[3] & 15}")}");
        }

        throw new IOException(problems.Count > 0 ? string.Join(", ", problems) : "there is no name server to ask");
    }

    private static bool IsSame(byte[] left, byte[] right)
    {
        if (left.Length != right.Length)
        {
            return false;
        }

        // Length bytes are below the letters.
        for (int i = 0; i < left.Length; i++)
        {
            if (left[i] != right[i] && (!char.IsAsciiLetter((char)left[i]) || (left[i] | 0x20) != (right[i] | 0x20)))
            {
                return false;
            }
        }

        return true;
    }
}
