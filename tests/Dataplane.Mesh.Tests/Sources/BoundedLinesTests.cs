using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Dataplane.Mesh.Sources;

namespace Dataplane.Mesh.Tests.Sources;

/// <summary>Lines from those who might never end one.</summary>
public sealed class BoundedLinesTests
{
    [Theory]
    [InlineData("a\nbb\n\nccc", "a|bb||ccc")]
    [InlineData("", "")]
    [InlineData("\n", "")]
    [InlineData("dddd\n", "dddd")]
    public async Task Lines_UpToTheLimit_AreRead(string text, string expected)
    {
        await using var lines = new BoundedLines(new MemoryStream(System.Text.Encoding.UTF8.GetBytes(text)), 4);
        var read = new List<string>();
        while (await lines.ReadAsync(CancellationToken.None) is { } line)
        {
            read.Add(System.Text.Encoding.UTF8.GetString(line));
        }

        Assert.Equal(expected, string.Join('|', read));
    }

    [Theory]
    [InlineData("eeeee")]
    [InlineData("a\neeeee\n")]
    public async Task Lines_PastTheLimit_AreAnError(string text)
    {
        await using var lines = new BoundedLines(new MemoryStream(System.Text.Encoding.UTF8.GetBytes(text)), 4);
        await Assert.ThrowsAsync<InvalidDataException>(async () =>
        {
            while (await lines.ReadAsync(CancellationToken.None) is not null)
            {
            }
        });
    }

    [Fact]
    public async Task Lines_InManyPieces_AreRead()
    {
        // Longer than what is read at a time, so that the end of each is looked for in several goes.
        string[] expected = [new string('a', 200_000), "", new string('b', 65_536), new string('c', 131_071)];
        using var stream = new MemoryStream(System.Text.Encoding.UTF8.GetBytes(string.Join('\n', expected)));
        await using var lines = new BoundedLines(stream, 200_000);
        foreach (string line in expected)
        {
            Assert.Equal(line, System.Text.Encoding.UTF8.GetString((await lines.ReadAsync(CancellationToken.None))!));
        }

        Assert.Null(await lines.ReadAsync(CancellationToken.None));
    }

    [Fact]
    public async Task EtcdWatch_ThatNeverEndsALine_IsAnError()
    {
        using var probe = new TcpListener(IPAddress.Loopback, 0);
        probe.Start();
        int port = ((IPEndPoint)probe.LocalEndpoint).Port;
        probe.Stop();
        string address = string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{port}/");
        using var member = new HttpListener { Prefixes = { address } };
        member.Start();
        Task answer = AnswerAsync(member);
        using var client = new EtcdClient(new Uri(address)) { MaxLineBytes = 1000 };
        var error = await Assert.ThrowsAsync<InvalidDataException>(async () =>
        {
            await foreach (IReadOnlyList<EtcdClient.Change> _ in client.WatchAsync("/x", 1, CancellationToken.None))
            {
            }
        });
        Assert.StartsWith("line_too_long", error.Message, StringComparison.Ordinal);
        await answer;

        static async Task AnswerAsync(HttpListener member)
        {
            HttpListenerContext asked = await member.GetContextAsync();
            await asked.Response.OutputStream.WriteAsync(new byte[1001]);
            await asked.Response.OutputStream.FlushAsync();
        }
    }
}
