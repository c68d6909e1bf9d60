namespace Dataplane.Native.Tests.Abi;

/// <summary>A fact that needs a C compiler and the C library's headers.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class CompilerFactAttribute : FactAttribute
{
    public CompilerFactAttribute()
    {
        if (Compiler is null)
            Skip = "needs a C compiler (gcc, cc or clang) on the PATH";
    }

    public static string? Compiler { get; } = Find();

    private static string? Find()
    {
        string[] folders = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':', StringSplitOptions.RemoveEmptyEntries);
        string[] names = ["gcc", "cc", "clang"];
        return names.SelectMany(n => folders.Select(f => Path.Combine(f, n))).FirstOrDefault(File.Exists);
    }
}
