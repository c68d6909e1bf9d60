using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Dataplane.Mesh.Tests.Sources;

/// <summary>A small name server on this machine, over UDP and TCP, that says what a test wants: records, denials, failures, halves and nothing.</summary>
internal sealed class StandInNameServer : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly Socket _datagrams = new(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
    private readonly CancellationTokenSource _ending = new();
    private readonly ConcurrentDictionary<string, (string Name, int Type, uint Ttl, byte[] Data)[]> _records = new();
    private readonly Task _running;

    public StandInNameServer()
    {
        _listener.Start();
        _datagrams.Bind(_listener.LocalEndpoint);
        _running = Task.WhenAll(Task.Run(ServeDatagramsAsync), Task.Run(ServeStreamsAsync));
    }

    public IPEndPoint EndPoint => (IPEndPoint)_listener.LocalEndpoint;

    /// <summary>Response code of everything; -1: nothing is said at all, -2: what is said has nonsense in it.</summary>
    public int Broken { get; set; }

    /// <summary>Whether answers over UDP are cut short.</summary>
    public bool IsCut { get; set; }

    public int Queries;

    /// <summary>Records as <c>NAME TTL TYPE DATA</c>; those of other names stay.</summary>
    public void Put(string name, params string[] lines) => _records[name] = [.. lines.Select(Read)];

    /// <summary>There is no such name any more.</summary>
    public void Remove(string name) => _records.TryRemove(name, out _);

    public async ValueTask DisposeAsync()
    {
        await _ending.CancelAsync();
        _listener.Stop();
        _datagrams.Dispose();
        await _running;
        _ending.Dispose();
    }

    private static byte[] Wire(string name) => [.. name.TrimEnd('.').Split('.').SelectMany(label => (byte[])[(byte)label.Length, .. Encoding.ASCII.GetBytes(label)]), 0];

    private static byte[] Number(int value) => [(byte)(value >> 8), (byte)value];

    private static (string, int, uint, byte[]) Read(string line)
    {
        string[] words = line.Split(' ');
        uint ttl = uint.Parse(words[1], CultureInfo.InvariantCulture);
        int At(int index) => int.Parse(words[index], CultureInfo.InvariantCulture);
        return words[2] switch
        {
            "A" => (words[0], 1, ttl, IPAddress.Parse(words[3]).GetAddressBytes()),
            "AAAA" => (words[0], 28, ttl, IPAddress.Parse(words[3]).GetAddressBytes()),
            "CNAME" => (words[0], 5, ttl, Wire(words[3])),
            _ => (words[0], 33, ttl, [.. Number(At(3)), .. Number(At(4)), .. Number(At(5)), .. Wire(words[6])]),
        };
    }

    private byte[]? Answer(byte[] query, bool isUdp)
    {
        Interlocked.Increment(ref Queries);
        int at = 12;
        var labels = new List<string>();
        for (; query[at] != 0; at += query[at] + 1)
        {
            labels.Add(Encoding.ASCII.GetString(query, at + 1, query[at]).ToLowerInvariant());
        }

        int type = (query[at + 1] << 8) | query[at + 2], broken = Broken;
        string name = string.Join('.', labels);
        bool isKnown = _records.TryGetValue(name, out (string Name, int Type, uint Ttl, byte[] Data)[]? records);
        (string Name, int Type, uint Ttl, byte[] Data)[] said = [.. (records ?? []).Where(record => record.Type == type || record.Type == 5 || record.Name != name)];
        if (broken == -1)
        {
            return null;
        }

        bool isCut = isUdp && IsCut;
        int rcode = broken > 0 ? broken : isKnown ? 0 : 3;
        said = isCut || rcode != 0 ? [] : said;

        // Denials hold for a second, as the authority's record says.
        bool isDenied = said.Length == 0 && rcode is 0 or 3;
        byte[] soa = isDenied ? [.. Wire("test"), 0, 6, 0, 1, 0, 0, 0, 1, .. Number(22), 0, 0, .. new byte[20]] : [];
        IEnumerable<byte> answers = said.SelectMany(record => (byte[])[.. Wire(record.Name), .. Number(record.Type), 0, 1, 0, 0, .. Number((int)record.Ttl), .. Number(record.Data.Length), .. record.Data]);
        byte[] head = [query[0], query[1], (byte)(0x81 | (isCut ? 2 : 0)), (byte)(0x80 | rcode), 0, 1, .. Number(said.Length), 0, (byte)(isDenied ? 1 : 0), 0, 0];
        byte[] message = [.. head, .. query[12..(at + 5)], .. answers, .. soa];
        return broken == -2 ? [.. message[..6], 0, 9, .. message[8..^2]] : message;
    }

    private async Task ServeDatagramsAsync()
    {
        byte[] query = new byte[512];
        try
        {
            while (true)
            {
                SocketReceiveFromResult received = await _datagrams.ReceiveFromAsync(query, new IPEndPoint(IPAddress.Any, 0), _ending.Token);
                if (Answer(query[..received.ReceivedBytes], isUdp: true) is { } answer)
                {
                    await _datagrams.SendToAsync(answer, received.RemoteEndPoint, _ending.Token);
                }
            }
        }
        catch (Exception exception) when (exception is OperationCanceledException or SocketException or ObjectDisposedException)
        {
            // The test is over.
        }
    }

    private async Task ServeStreamsAsync()
    {
        try
        {
            while (true)
            {
                using TcpClient client = await _listener.AcceptTcpClientAsync(_ending.Token);
                NetworkStream stream = client.GetStream();
                byte[] length = new byte[2];
                await stream.ReadExactlyAsync(length, _ending.Token);
                byte[] query = new byte[(length[0] << 8) | length[1]];
                await stream.ReadExactlyAsync(query, _ending.Token);
                if (Answer(query, isUdp: false) is { } answer)
                {
                    await stream.WriteAsync((byte[])[.. Number(answer.Length), .. answer], _ending.Token);
                }
            }
        }
        catch (Exception exception) when (exception is OperationCanceledException or SocketException or ObjectDisposedException or IOException)
        {
            // The test is over.
        }
    }
}
