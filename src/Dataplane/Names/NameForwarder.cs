using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.Net;
using System.Runtime.InteropServices;
using Dataplane.Packets;
using Dataplane.Ports;

namespace Dataplane.Names;

/// <summary>Asks upstream servers for names of others, on the thread pool and over the kernel's sockets.</summary>
/// <remarks>
/// Servers are asked in the order of the configuration; the next one when one is silent, fails or refuses, as resolvers of hosts do. Each question has a
/// socket, and so a port, of its own. At most 1,024 are open, and an eighth of them for one source, so that who asks for what nobody answers keeps
/// nobody else from asking; what comes beyond is told SERVFAIL at once, which is no answer but ends the waiting. The same question is not asked twice at a
/// time, however many want to know: each further one would be another chance for a forged answer (RFC 5452 5).
/// </remarks>
internal sealed class NameForwarder : IAsyncDisposable
{
    private const int MaxOpen = 1024;
    private const int MaxOfOneSource = MaxOpen / 8;

    /// <summary>Per server; resolvers of hosts give up after five seconds.</summary>
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(2);

    private readonly Func<NameServers> _servers;
    private readonly NameCache _cache;
    private readonly CancellationTokenSource _ending = new();
    private readonly List<Task> _loops = [];
    private readonly ConcurrentDictionary<string, Task<byte[]?>> _asking = new(StringComparer.Ordinal);
    private readonly Dictionary<IpAddress, int> _ofSource = [];
    private int _open;

    /// <param name="servers">The name servers in force.</param>
    /// <param name="time">Clock of the cache.</param>
    public NameForwarder(Func<NameServers> servers, TimeProvider time)
    {
        _servers = servers;
        _cache = new NameCache(time);
    }

    /// <summary>Makes the rings of a worker, and serves them from now on.</summary>
    public NameForwards Attach(IPortWaker worker)
    {
        var signal = new AsyncSignal();
        var forwards = new NameForwards(worker, signal);
        _loops.Add(Task.Run(() => ServeAsync(forwards, signal)));
        return forwards;
    }

    public async ValueTask DisposeAsync()
    {
        await _ending.CancelAsync().ConfigureAwait(false);
        await Task.WhenAll(_loops).ConfigureAwait(false);
        _ending.Dispose();
    }

    private async Task ServeAsync(NameForwards forwards, AsyncSignal signal)
    {
        using CancellationTokenRegistration ended = _ending.Token.Register(signal.Wake);
        while (!_ending.IsCancellationRequested)
        {
            while (forwards.TakeQuery() is { } query)
            {
                if (TryOpen(query))
                {
                    _ = ForwardAsync(forwards, query);
                }
                else
                {
                    forwards.Respond(query, Error(query.AsSpan(NameForwards.HeadBytes), DnsWire.ServFail));
                }
            }

            await signal.WaitAsync().ConfigureAwait(false);
        }
    }

    private bool TryOpen(byte[] entry)
    {
        IpAddress source = SourceOf(entry);
        lock (_ofSource)
        {
            int own = _ofSource.GetValueOrDefault(source);
            if (_open >= MaxOpen || own >= MaxOfOneSource)
            {
                return false;
            }

            _open++;
            _ofSource[source] = own + 1;
            return true;
        }
    }

    private void Close(byte[] entry)
    {
        IpAddress source = SourceOf(entry);
        lock (_ofSource)
        {
            _open--;
            if (--_ofSource[source] == 0)
            {
                _ofSource.Remove(source);
            }
        }
    }

    /// <summary>Who asks; of IPv6 the /64, of which anybody has as many addresses as he likes.</summary>
    private static IpAddress SourceOf(byte[] entry)
    {
        FlowKey key = MemoryMarshal.Read<FlowKey>(entry);
        return key.Family == 4 ? key.Source : IpAddress.FromV6(key.SourceHigh, 0);
    }

    private async Task ForwardAsync(NameForwards forwards, byte[] entry)
    {
        try
        {
            ReadOnlyMemory<byte> message = entry.AsMemory(NameForwards.HeadBytes);
            NameServer? server = _servers().Find(MemoryMarshal.Read<FlowKey>(entry));
            byte[]? response = server is null ? null : await ResolveAsync(server, message).ConfigureAwait(false);
            if (!_ending.IsCancellationRequested)
            {
                response ??= Error(message.Span, DnsWire.ServFail);
                bool isStreamed = MemoryMarshal.Read<FlowKey>(entry).Protocol == IpProtocols.Tcp;
                forwards.Respond(entry, isStreamed ? response : Shorten(response, message.Span));
            }
        }
        finally
        {
            Close(entry);
        }
    }

    /// <summary>Answers a query by asking, an alias of the server's own included; null when nobody could say. Also for queries over TCP.</summary>
    internal async Task<byte[]?> ResolveAsync(NameServer server, ReadOnlyMemory<byte> message)
    {
        NameQuery.Read(message.Span, out NameQuery query);
        Dns64Spec? dns64 = Dns64.MayAnswer(in query) ? server.Spec.Dns64 : null;
        if (AliasQuery.FindReverse(dns64, message.Span, in query) is { } reverse)
        {
            return await ResolveReverseAsync(server, reverse, message).ConfigureAwait(false);
        }

        AliasQuery? alias = AliasQuery.Find(server.Table, message.Span, in query);
        ReadOnlyMemory<byte> asked = alias?.Message ?? message;
        byte[]? response = dns64 is not null && query is { Type: DnsWire.TypeAaaa, Class: DnsWire.ClassIn }
            ? await TranslateAsync(server, dns64, asked).ConfigureAwait(false)
            : await LookUpAsync(server, asked).ConfigureAwait(false);
        return alias is null || response is null ? response : alias.Join(message.Span, response);
    }

    /// <summary>IPv6 addresses of a name, or such as are made of its IPv4 addresses when it has none (RFC 6147 5.1).</summary>
    private async Task<byte[]?> TranslateAsync(NameServer server, Dns64Spec dns64, ReadOnlyMemory<byte> asked)
    {
        byte[]? denial = await LookUpAsync(server, asked).ConfigureAwait(false);
        if (Dns64Answer.IsEnough(dns64, asked.Span, denial, out byte[]? answer))
        {
            return answer;
        }

        byte[] v4 = asked.ToArray();
        NameQuery.Read(v4, out NameQuery query);
        BinaryPrimitives.WriteUInt16BigEndian(v4.AsSpan(DnsWire.HeaderBytes + query.NameBytes), DnsWire.TypeA);
        byte[]? addresses = await LookUpAsync(server, v4).ConfigureAwait(false);
        return (addresses is null ? null : Dns64Answer.Synthesize(dns64, asked.Span, denial, addresses)) ?? answer;
    }

    /// <summary>The name of an IPv4 address behind the prefix; it may be in a zone of the server's own.</summary>
    private async Task<byte[]?> ResolveReverseAsync(NameServer server, AliasQuery reverse, ReadOnlyMemory<byte> message)
    {
        byte[] own = new byte[DnsWire.MaxUdpBytes];
        NameResponse made = NameResponder.Respond(server.Table, reverse.Message, own, own.Length, isUdp: false, new NameScratch(1));
        byte[]? response = made.Kind == NameResponseKind.Forward ? await LookUpAsync(server, reverse.Message).ConfigureAwait(false) : own[..made.Bytes];

        // An alias that leads nowhere would say less than that there is no such name (RFC 6147 5.3.1).
        return response is null ? null
            : DnsMessage.ReadAnswers(response) is { Count: > 0 } ? reverse.Join(message.Span, response) : Error(message.Span, response[3] & 15);
    }

    /// <summary>What is remembered, or what upstream says; null when nobody could say.</summary>
    private async Task<byte[]?> LookUpAsync(NameServer server, ReadOnlyMemory<byte> asked)
    {
        NameQuery.Read(asked.Span, out NameQuery query);
        string key = NameCache.KeyOf(server.Spec.Name, asked.Span, in query);
        byte[]? response = _cache.Find(key, asked.Span, query.QuestionBytes);
        if (response is null)
        {
            // Upper and lower case come back as they were asked (0x20), so who asks in another way asks for himself.
            string exact = $"{key} {Convert.ToHexString(asked.Span.Slice(DnsWire.HeaderBytes, query.NameBytes))}";
            response = await AskOnceAsync(exact, key, server, asked, query.QuestionBytes).ConfigureAwait(false);
        }

        return response;
    }

    /// <summary>Asks, or waits for whoever asks the same already; gives a message of the caller's own, with its identifier.</summary>
    private async Task<byte[]?> AskOnceAsync(string exact, string key, NameServer server, ReadOnlyMemory<byte> asked, int questionBytes)
    {
        var asking = new TaskCompletionSource<byte[]?>(TaskCreationOptions.RunContinuationsAsynchronously);
        Task<byte[]?> first = _asking.GetOrAdd(exact, asking.Task);
        if (first == asking.Task)
        {
            byte[]? found = null;
            try
            {
                found = await AskAllAsync(server.Spec.Upstreams, asked, questionBytes).ConfigureAwait(false);
                if (found is not null)
                {
                    _cache.Store(key, [.. found]);
                }
            }
            finally
            {
                _asking.TryRemove(exact, out _);
                asking.SetResult(found);
            }
        }

        if (await first.ConfigureAwait(false) is not { } shared)
        {
            return null;
        }

        byte[] own = [.. shared];
        asked.Span[..2].CopyTo(own);
        return own;
    }

    private async Task<byte[]?> AskAllAsync(IReadOnlyList<IPEndPoint> upstreams, ReadOnlyMemory<byte> query, int questionBytes)
    {
        byte[]? refusal = null;
        foreach (IPEndPoint upstream in upstreams)
        {
            using var patience = CancellationTokenSource.CreateLinkedTokenSource(_ending.Token);
            patience.CancelAfter(s_patience);
            byte[]? response = await UpstreamExchange.AskAsync(upstream, query, questionBytes, patience.Token).ConfigureAwait(false);
            if (response is null || (response[3] & 15) is DnsWire.ServFail or DnsWire.Refused or DnsWire.NotImp)
            {
                refusal = response ?? refusal;
                continue;
            }

            return response;
        }

        return refusal is not null && BinaryPrimitives.ReadUInt16BigEndian(refusal.AsSpan(4)) == 1 ? refusal : null;
    }

    /// <summary>Cuts a response down to what may be sent over UDP: nothing but the question, and that there is more.</summary>
    private static byte[] Shorten(byte[] response, ReadOnlySpan<byte> message)
    {
        NameQuery.Read(message, out NameQuery query);
        int limit = query.HasEdns ? Math.Clamp((int)query.EdnsBytes, DnsWire.MinUdpBytes, DnsWire.MaxUdpBytes) : DnsWire.MinUdpBytes;
        if (response.Length <= limit)
        {
            return response;
        }

        byte[] target = new byte[DnsWire.MinUdpBytes];
        int rcode = response[3] & 15;
        NameResponse made = new ResponseWriter(target, message, in query, isRecursive: true).Finish(rcode);
        target[2] |= DnsWire.Truncated >> 8;
        return target[..made.Bytes];
    }

    private static byte[] Error(ReadOnlySpan<byte> message, int rcode)
    {
        byte[] target = new byte[DnsWire.MinUdpBytes];
        return target[..NameErrors.Respond(message, target, rcode).Bytes];
    }
}
