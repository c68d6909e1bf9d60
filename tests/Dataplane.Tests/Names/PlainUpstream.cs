using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Dataplane.Tests.Names;

/// <summary>A name server of others, as a test wants it: says by name and type what it was told to, and remembers what it was asked. Shares nothing with ours.</summary>
internal sealed class PlainUpstream : IAsyncDisposable
{
    private readonly UdpClient _socket = new(new IPEndPoint(IPAddress.Loopback, 0));
    private readonly ConcurrentDictionary<string, (int Rcode, byte[][] Answers, byte[][] Authority)> _known = new(StringComparer.OrdinalIgnoreCase);
    private readonly Task _answering;

    public PlainUpstream() => _answering = AnswerAsync();

    public IPEndPoint Address => (IPEndPoint)_socket.Client.LocalEndPoint!;

    /// <summary>What was asked: name, type and the second word of the header, in order.</summary>
    public ConcurrentQueue<string> Asked { get; } = new();

    /// <summary>Has a question answered so. What is not known is never answered.</summary>
    public void Say(string name, int type, int rcode = 0, byte[][]? answers = null, byte[][]? authority = null) => _known[$"{name} {type}"] = (rcode, answers ?? [], authority ?? []);

    public static byte[] Record(string owner, int type, uint ttl, byte[] data) =>
        [.. Name(owner), (byte)(type >> 8), (byte)type, 0, 1, (byte)(ttl >> 24), (byte)(ttl >> 16), (byte)(ttl >> 8), (byte)ttl, (byte)(data.Length >> 8), (byte)data.Length, .. data];

    public static byte[] Address4(string owner, string address, uint ttl = 300) => Record(owner, 1, ttl, IPAddress.Parse(address).GetAddressBytes());

    public static byte[] Address6(string owner, string address, uint ttl = 300) => Record(owner, 28, ttl, IPAddress.Parse(address).GetAddressBytes());

    public static byte[] Alias(string owner, string target, uint ttl = 300) => Record(owner, 5, ttl, Name(target));

    public static byte[] Denial(string owner, uint ttl) => Record(owner, 6, ttl, [.. Name("ns." + owner), .. Name("mail." + owner), .. new byte[20]]);

    public static byte[] Name(string text)
    {
        var bytes = new List<byte>();
        foreach (string label in text.Split('.', StringSplitOptions.RemoveEmptyEntries))
        {
            bytes.Add((byte)label.Length);
            bytes.AddRange(Encoding.ASCII.GetBytes(label));
        }

        return [.. bytes, 0];
    }

    public async ValueTask DisposeAsync()
    {
        _socket.Dispose();
        await _answering;
    }

    private async Task AnswerAsync()
    {
        try
        {
            while (true)
            {
                UdpReceiveResult query = await _socket.ReceiveAsync();
                PlainDns read = PlainDns.Read(query.Buffer);
                string what = $"{read.Questions[0].Name.TrimEnd('.')} {read.Questions[0].Type}";
                Asked.Enqueue($"{what} {query.Buffer[2]:x2}{query.Buffer[3]:x2}");
                if (_known.TryGetValue(what, out (int Rcode, byte[][] Answers, byte[][] Authority) say))
                {
                    int question = Name(read.Questions[0].Name).Length + 4;

                    // Authenticated data (AD), as a server that validates says.
                    byte[] head = [query.Buffer[0], query.Buffer[1], (byte)(query.Buffer[2] | 0x80), (byte)(0xA0 | (query.Buffer[3] & 0x10) | say.Rcode), 0, 1,
                        (byte)(say.Answers.Length >> 8), (byte)say.Answers.Length, 0, (byte)say.Authority.Length, 0, 0];
                    byte[] response = [.. head, .. query.Buffer.AsSpan(12, question), .. say.Answers.SelectMany(record => record), .. say.Authority.SelectMany(record => record)];
                    await _socket.SendAsync(response, query.RemoteEndPoint);
                }
            }
        }
        catch (Exception ended) when (ended is SocketException or ObjectDisposedException)
        {
            // The test ends.
        }
    }
}
