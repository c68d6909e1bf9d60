using System.Diagnostics;
using System.Reflection;
using Dataplane.Native.Abi;

namespace Dataplane.Native.Tests.Abi;

public class AbiLayoutTests
{
    // What no package installs: the layout of memif.
    private static readonly string s_headers = RepositoryRoot.Combine("tests", "Dataplane.Native.Tests", "Abi");

    [Fact]
    public void Structures_AllOfThem_NameTheirHeader()
    {
        string[] forgotten = [.. AbiLayout.Structures.Where(t => !t.IsDefined(typeof(KernelTypeAttribute))).Select(t => t.Name)];
        Assert.Empty(forgotten);
        Assert.NotEmpty(AbiLayout.Structures);
    }

    [Fact]
    public void Constants_AllOfThem_NameTheirHeaders()
    {
        string[] forgotten = [.. AbiLayout.ConstantClasses.Where(t => !t.IsDefined(typeof(KernelConstantsAttribute))).Select(t => t.Name)];
        Assert.Empty(forgotten);
        Assert.NotEmpty(AbiLayout.ConstantClasses);
    }

    [CompilerFact]
    public void StructuresAndConstants_AgainstTheHeaders_AreEqual() => Assert.Equal("", Compile(AbiLayout.WriteProgram()));

    [CompilerFact]
    public void Compiler_OneWrongOffset_IsFound()
    {
        const string Right = "offsetof(struct pollfd, events) == 4", Wrong = "offsetof(struct pollfd, events) == 5";
        string program = AbiLayout.WriteProgram().Replace(Right, Wrong, StringComparison.Ordinal);
        Assert.Contains("offset of pollfd.events", Compile(program), StringComparison.Ordinal);
    }

    private static string Compile(string program)
    {
        var start = new ProcessStartInfo(CompilerFactAttribute.Compiler!, ["-std=gnu11", "-fsyntax-only", $"-I{s_headers}", "-x", "c", "-"])
        {
            RedirectStandardInput = true,
            RedirectStandardError = true,
        };
        using Process compiler = Process.Start(start)!;
        Task<string> errors = compiler.StandardError.ReadToEndAsync();
        compiler.StandardInput.Write(program);
        compiler.StandardInput.Close();
        Assert.True(compiler.WaitForExit(60_000));
        return compiler.ExitCode == 0 ? "" : errors.GetAwaiter().GetResult();
    }
}
