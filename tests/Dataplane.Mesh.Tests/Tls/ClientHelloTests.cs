using System.Net.Security;
using System.Security.Authentication;
using Dataplane.Mesh.Tls;
using FsCheck;
using FsCheck.Fluent;

namespace Dataplane.Mesh.Tests.Tls;

/// <summary>The greeting of TLS as the runtime's own TLS writes it, and as nobody should.</summary>
public sealed class ClientHelloTests
{
    [Theory]
    [InlineData("web.shop.test", SslProtocols.Tls13, true)]
    [InlineData("WEB.Shop.Test", SslProtocols.Tls13 | SslProtocols.Tls12, true)]
    [InlineData("old.shop.test", SslProtocols.Tls12, false)]
    [InlineData("", SslProtocols.Tls13, true)]
    public void Parse_GreetingOfTheRuntime_IsRead(string name, SslProtocols versions, bool hasTls13)
    {
        byte[] bytes = Greeting(name, versions);
        ClientHello hello = ClientHello.Parse(bytes);
        Assert.Equal(ClientHelloVerdict.Whole, hello.Verdict);
        Assert.Equal(name.ToLowerInvariant(), hello.ServerName);
        Assert.Equal(hasTls13, hello.OffersTls13);
        Assert.Equal(["h2", "http/1.1"], hello.Protocols);
    }

    [Fact]
    public void Parse_EveryPartOfAGreeting_IsIncomplete()
    {
        byte[] bytes = Greeting("web.shop.test", SslProtocols.Tls13);
        for (int length = 0; length < bytes.Length; length++)
            Assert.Equal(ClientHelloVerdict.Incomplete, ClientHello.Parse(bytes.AsSpan(0, length)).Verdict);
        Assert.Equal(ClientHelloVerdict.Whole, ClientHello.Parse([.. bytes, 0x17, 3, 3]).Verdict);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(7)]
    [InlineData(100)]
    public void Parse_GreetingInManyRecords_IsTheSame(int recordBytes)
    {
        byte[] one = Greeting("web.shop.test", SslProtocols.Tls13);
        byte[] many = [.. one[5..].Chunk(recordBytes).SelectMany(part => (byte[])[0x16, 3, 1, (byte)(part.Length >> 8), (byte)part.Length, .. part])];
        Assert.Equal(ClientHello.Parse(one).ServerName, ClientHello.Parse(many).ServerName);
        for (int length = 0; length < many.Length; length++)
            Assert.Equal(ClientHelloVerdict.Incomplete, ClientHello.Parse(many.AsSpan(0, length)).Verdict);
    }

    [Theory]
    [InlineData("GET / HTTP/1.1\r\n\r\n", "NotTls")]
    [InlineData("\u0016\u0003\u0001\u0000\u0000", "NotTls")]
    [InlineData("\u0016\u0002\u0001\u0000\u0001", "NotTls")]
    [InlineData("\u0016\u0003\u0001\u0000\u0004\u0002\u0000\u0000\u0000", "NotTls")]
    [InlineData("\u0016\u0003\u0001\u0000\u0004\u0001\u0000\u0000\u0000", "Malformed")]
    [InlineData("\u0016\u0003\u0001\u0000\u0004\u0001\u007f\u0000\u0000", "TooLong")]
    [InlineData("\u0016\u0003\u0001\u0000\u0002\u0001\u0000\u0017\u0003\u0001", "Malformed")]
    public void Parse_OtherBytes_AreToldApart(string text, string verdict) =>
        Assert.Equal(verdict, ClientHello.Parse(System.Text.Encoding.Latin1.GetBytes(text)).Verdict.ToString());

    [Fact]
    public void Parse_TwoServerNames_IsMalformed()
    {
        // Two names would let a client show one to the relay and the other to whom it is handed to.
        byte[] name = [0, 0, 0, 9, 0, 7, 0, 0, 4, (byte)'a', (byte)'.', (byte)'b', (byte)'c'];
        Assert.Equal("a.bc", ClientHello.Parse(Handmade(name)).ServerName);
        Assert.Equal(ClientHelloVerdict.Malformed, ClientHello.Parse(Handmade([.. name, .. name])).Verdict);
        name[^2] = 0;
        Assert.Equal(ClientHelloVerdict.Malformed, ClientHello.Parse(Handmade(name)).Verdict);
    }

    [Fact]
    public void Parse_AnyBytes_NeverThrows() => Prop.ForAll(ArbMap.Default.ArbFor<byte[]>(), bytes =>
    {
        _ = ClientHello.Parse(bytes ?? []);
        _ = ClientHello.Parse([0x16, 3, 1, .. bytes ?? []]);
        return true;
    }).Check(Config.QuickThrowOnFailure.WithMaxTest(2000));

    [Fact]
    public void Parse_GreetingsWithChangedBytes_NeverThrowAndNamesStayNames()
    {
        byte[] good = Greeting("web.shop.test", SslProtocols.Tls13);
        Prop.ForAll(ArbMap.Default.ArbFor<(int, byte, int)[]>(), changes =>
        {
            byte[] bytes = [.. good];
            foreach ((int at, byte value, int cut) in changes ?? [])
            {
                bytes[(at & int.MaxValue) % bytes.Length] = value;
                if (cut % 5 == 0)
                    bytes = bytes[..Math.Max(1, (cut & int.MaxValue) % bytes.Length)];
            }

            ClientHello hello = ClientHello.Parse(bytes);
            return hello.ServerName.All(letter => char.IsAsciiLetterOrDigit(letter) || letter is '.' or '-' or '_');
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(2000));
    }

    /// <summary>What the runtime's own client sends first.</summary>
    internal static byte[] Greeting(string name, SslProtocols versions)
    {
        var sent = new GreetingStream();
        using var tls = new SslStream(sent);
        Assert.ThrowsAny<Exception>(() => tls.AuthenticateAsClient(new SslClientAuthenticationOptions
        {
            TargetHost = name,
            EnabledSslProtocols = versions,
            ApplicationProtocols = [SslApplicationProtocol.Http2, SslApplicationProtocol.Http11],
        }));
        return sent.ToArray();
    }

    private static byte[] Handmade(byte[] extensions)
    {
        byte[] body = [3, 3, .. new byte[32], 0, 0, 2, 0x13, 1, 1, 0, (byte)(extensions.Length >> 8), (byte)extensions.Length, .. extensions];
        byte[] message = [1, 0, (byte)(body.Length >> 8), (byte)body.Length, .. body];
        return [0x16, 3, 1, (byte)(message.Length >> 8), (byte)message.Length, .. message];
    }

    /// <summary>Takes what is written, and ends when something is to be read.</summary>
    private sealed class GreetingStream : MemoryStream
    {
        public override int Read(byte[] buffer, int offset, int count) => 0;

        public override int Read(Span<byte> buffer) => 0;
    }
}
